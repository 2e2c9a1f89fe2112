"""
PEM bundles: a certificate with its chain, and the private key that belongs to it.

A bundle may hold such a chain for each type of key, one behind the other, with as many keys: then a visitor who cannot
verify ECDSA is shown the RSA certificate of the same name. It starts with the leaf that everybody else is shown.

`check_pair` is asked wherever a certificate enters the house, from a file or over the API, so that behind it nobody
meets a pair that cannot be served.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

#: Characters of a bundle: the TLS certificate message is limited to 256 KB, and PEM adds a third.
CERTIFICATE_PEM_MAX = 350_000

#: Certificates of a bundle: nobody's chains are that long, and each takes about 0.1 ms to check.
CERTIFICATES_MAX = 30

#: Characters of the private keys: an RSA key of 8192 bits takes about 6400.
PRIVATE_KEY_PEM_MAX = 32_000

#: Bits of the smallest RSA key that OpenSSL accepts at its security level 2, and browsers at all.
RSA_BITS_MIN = 2048

#: Bits of the largest RSA key: a handshake with one takes 40 ms already.
RSA_BITS_MAX = 8192

#: Elliptic curves that TLS clients verify certificates with (RFC 8446 section 4.2.3).
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})

_CERTIFICATE = "CERTIFICATE"
_CERTIFICATE_MARK = "-----BEGIN CERTIFICATE-----"
_KEY = "PRIVATE KEY"
_KEY_MARK = "PRIVATE KEY-----"
#: Such marks of one key: its first line and its last.
_ONE_KEY = 2
_PROBE = b"does this key belong to this certificate?"

Finding = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Block:
    """
    One block of a PEM text.

    :ivar label: what it says it is, such as ``CERTIFICATE``.
    :ivar text: from its first line to its last.
    :ivar has_headers: there is more in it than base64 (RFC 1421 section 4.4).
    """

    label: str
    text: str = field(repr=False)
    has_headers: bool = False


def blocks(pem: str) -> Iterator[Block]:
    """The whole blocks of a PEM text, in order; whatever stands between them is passed over (RFC 7468 section 2)."""
    label, lines = "", []
    for line in map(str.strip, pem.splitlines()):
        if line.startswith("-----BEGIN ") and line.endswith("-----"):
            label, lines = line[11:-5], [line]
        elif label:
            lines.append(line)
            if line == f"-----END {label}-----":
                yield Block(label, "\n".join(lines) + "\n", any(":" in inner for inner in lines))
                label = ""


def check_pair(certificate_pem: str, private_key_pem: str) -> list[Finding]:
    """
    Look for everything that keeps a certificate and its key from being served.

    :param certificate_pem: the leaf first, then each issuer in order; the root may be left out. Possibly such a chain
        for each type of key.
    :param private_key_pem: the leaf's key, not encrypted: RSA, ECDSA or Ed25519. Possibly one for each chain.
    :return: pairs of an ``ERR_NGROK_…`` number and a sentence; empty when all is well.
    """
    certificates, findings = _read_certificates(certificate_pem)
    keys, key_findings = _read_keys(private_key_pem)
    findings += key_findings
    if certificates and keys:
        starts, mismatch = _starts(certificates, keys)
        findings += mismatch or _check_keys(certificates, keys, starts) + _check_order(certificates, starts)
    elif certificates and private_key_pem.count(_KEY_MARK) <= _ONE_KEY:
        findings += _check_order(certificates, [0])
    return findings


def split_pairs(certificate_pem: str, private_key_pem: str) -> list[tuple[str, str]]:
    """
    :param certificate_pem: a bundle and
    :param private_key_pem: its keys, in which `check_pair` found nothing.
    :return: each chain with its key, in the bundle's order.
    :raises ValueError: they do not belong together.
    """
    if private_key_pem.count(_KEY_MARK) <= _ONE_KEY:  # which needs no look inside
        return [(certificate_pem, private_key_pem)]
    texts = [block.text for block in blocks(certificate_pem) if block.label == _CERTIFICATE]
    key_texts = [block.text for block in blocks(private_key_pem) if block.label.endswith(_KEY)]
    certificates = [x509.load_pem_x509_certificate(text.encode("ascii")) for text in texts]
    starts, mismatch = _starts(certificates, [_load_key(text) for text in key_texts])
    if mismatch:
        raise ValueError(mismatch[0][1])
    order = sorted(range(len(starts)), key=starts.__getitem__)
    ends = [starts[number] for number in order[1:]] + [len(texts)]
    return [("".join(texts[starts[number] : end]), key_texts[number]) for number, end in zip(order, ends)]


def read_certificates(certificate_pem: str) -> list[x509.Certificate]:
    """
    :return: the certificates of a bundle, in its order.
    :raises ValueError: it holds none, or something else; the message is a sentence.
    """
    certificates, findings = _read_certificates(certificate_pem)
    if findings:
        raise ValueError(findings[0][1])
    return certificates


def read_private_key(private_key_pem: str) -> Any:
    """
    :return: the private key; the first, where there are several.
    :raises ValueError: there is none that can be used; the message is a sentence and quotes nothing of the key.
    """
    keys, findings = _read_keys(private_key_pem)
    if findings:
        raise ValueError(findings[0][1])
    return keys[0]


def check_authority(ca_pem: str) -> list[Finding]:
    """
    Look for everything that keeps a text from being the certificate of one authority.

    :return: as for `check_pair`.
    """
    if not ca_pem.strip():
        return [(1919, "The certificate of the authority is missing.")]
    if len(ca_pem) > CERTIFICATE_PEM_MAX:
        return [(1921, f"The certificate is longer than {CERTIFICATE_PEM_MAX} characters.")]
    found = list(blocks(ca_pem))
    if not found:
        return [(1920, f"The certificate is not PEM: it starts with '{_CERTIFICATE_MARK}'.")]
    if strange := _strange(found):
        return [strange]
    if len(found) > 1:
        return [(1912, f"There are {len(found)} certificates: each authority is a record of its own.")]
    certificates, findings = _read_certificates(ca_pem)
    if certificates and not is_authority(certificates[0]):
        findings.append((1913, "The certificate is not that of an authority: its basic constraints do not say CA."))
    return findings


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether the certificate may issue others (RFC 5280 section 4.2.1.9)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def same_key(certificate: x509.Certificate, key: Any) -> bool:
    """Whether the certificate was made for this private key."""
    return _public_bytes(certificate.public_key()) == _public_bytes(key.public_key())


def key_type(key: Any) -> str:
    """What ngrok's API calls the type of a public or private key: ``rsa``, ``ecdsa`` or ``ed25519``."""
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return "rsa"
    return "ecdsa" if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)) else "ed25519"


def _read_certificates(pem: str) -> tuple[list[x509.Certificate], list[Finding]]:
    if not pem.strip():
        return [], [(1922, "The certificate is missing.")]
    if len(pem) > CERTIFICATE_PEM_MAX:
        return [], [(1921, f"The certificate bundle is longer than {CERTIFICATE_PEM_MAX} characters.")]
    if _KEY_MARK in pem:
        return [], [(1925, "The certificate holds a private key: put the key into its own field.")]
    found = list(blocks(pem))
    if not found and _CERTIFICATE_MARK not in pem:
        return [], [(1900, f"The certificate is not PEM: it starts with '{_CERTIFICATE_MARK}'.")]
    if strange := _strange(found):
        return [], [strange]
    if len(found) > CERTIFICATES_MAX:
        return [], [(1921, f"The bundle has more than {CERTIFICATES_MAX} certificates.")]
    try:
        certificates = [_load_certificate(block.text) for block in found]
    except (ValueError, UnsupportedAlgorithm):
        certificates = []
    return certificates, [] if certificates else [(1900, "The certificate cannot be read.")]


def _load_certificate(text: str) -> x509.Certificate:
    """What is read late is read once now, so that nobody stumbles over it afterwards."""
    certificate = x509.load_pem_x509_certificate(text.encode("ascii"))
    _public_bytes(certificate.public_key())
    certificate.subject.rdns, certificate.issuer.rdns
    return certificate


def _strange(found: list[Block]) -> Finding | None:
    """What makes blocks other than plain certificates."""
    for block in found:
        if block.label != _CERTIFICATE:
            return 1911, f"There is a block of the type {block.label[:60]}, where only {_CERTIFICATE} belongs."
        if block.has_headers:
            return 1910, "A certificate has headers inside its PEM block: take them out."
    return None


def _read_keys(pem: str) -> tuple[list[Any], list[Finding]]:
    if not pem.strip():
        return [], [(1901, "The private key is missing.")]
    if _CERTIFICATE_MARK in pem and _KEY_MARK not in pem:
        return [], [(1924, "The private key field holds a certificate.")]
    texts = [block.text for block in blocks(pem) if block.label.endswith(_KEY)]
    if len(pem) > PRIVATE_KEY_PEM_MAX or not texts:
        return [], [(1903, "The private key is not PEM: it starts with '-----BEGIN PRIVATE KEY-----'.")]
    if "BEGIN ENCRYPTED PRIVATE KEY" in pem or "Proc-Type: 4,ENCRYPTED" in pem:
        return [], [(1902, "The private key is encrypted: decrypt it first, as with 'openssl pkey'.")]
    try:
        keys = [_load_key(text) for text in texts]
    except TypeError:
        return [], [(1902, "The private key is encrypted: decrypt it first, as with 'openssl pkey'.")]
    except (ValueError, UnsupportedAlgorithm):
        return [], [(1903, "The private key cannot be read.")]
    unfit = next((sentence for key in keys if (sentence := _unfit(key))), "")
    if not unfit and len({key_type(key) for key in keys}) < len(keys):
        unfit = "There are two private keys of one type: a bundle has at most one RSA, one ECDSA and one Ed25519 key."
    return ([], [(1903, unfit)]) if unfit else (keys, [])


def _load_key(text: str) -> Any:
    """
    A full validation of an RSA key proves that its factors are primes, which takes seconds for a large one. It is
    proved with a signature instead, by `_check_keys`.
    """
    return load_pem_private_key(text.encode("ascii"), None, unsafe_skip_rsa_key_validation=True)


def _unfit(key: Any) -> str:
    """Why TLS cannot use this key, or an empty string."""
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < RSA_BITS_MIN:
            return f"The RSA key has fewer than {RSA_BITS_MIN} bits."
        return "" if key.key_size <= RSA_BITS_MAX else f"The RSA key has more than {RSA_BITS_MAX} bits."
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "" if key.curve.name in CURVES else f"TLS has no use for keys on the curve {key.curve.name}."
    return "" if isinstance(key, ed25519.Ed25519PrivateKey) else "The private key is not RSA, ECDSA or Ed25519."


def _starts(certificates: list[x509.Certificate], keys: list[Any]) -> tuple[list[int], list[Finding]]:
    """
    :return: where the chain of each key starts, and what is wrong with that.
    """
    places = [[number for number, made in enumerate(certificates) if same_key(made, key)] for key in keys]
    if not all(places):
        return [], [(1923, "The certificate and the private key do not belong together.")]
    starts = [found[0] for found in places]
    if 0 not in starts:
        return [], [(1926, "The bundle is out of order: the certificate of the private key comes first.")]
    return starts, []


def _check_keys(certificates: list[x509.Certificate], keys: list[Any], starts: list[int]) -> list[Finding]:
    """Whether each key makes signatures that its certificate verifies."""
    for key, start in zip(keys, starts):
        if isinstance(key, rsa.RSAPrivateKey):
            public: Any = certificates[start].public_key()
            try:
                public.verify(key.sign(_PROBE, padding.PKCS1v15(), SHA256()), _PROBE, padding.PKCS1v15(), SHA256())
            except (ValueError, InvalidSignature, InternalError):
                return [(1903, "The private key is broken: its signatures are wrong.")]
    return []


def _check_order(certificates: list[x509.Certificate], starts: list[int]) -> list[Finding]:
    for place, (certificate, issuer) in enumerate(zip(certificates, certificates[1:]), start=1):
        if place in starts:
            continue
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            message = f"The bundle is out of order: certificate {place + 1} did not issue the one before it."
            return [(1926, message)]
    return []


def _public_bytes(key: Any) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
