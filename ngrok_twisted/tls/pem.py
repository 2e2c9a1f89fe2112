"""
PEM bundles: a certificate with its chain, and the private key that belongs to it.

`check_pair` is asked wherever a certificate enters the house, from a file or over the API, so that behind it nobody
meets a pair that cannot be served.
"""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

#: Characters of a bundle: the TLS certificate message is limited to 256 KB, and PEM adds a third.
CERTIFICATE_PEM_MAX = 350_000

#: Characters of a private key: an RSA key of 16384 bits takes about 13 000.
PRIVATE_KEY_PEM_MAX = 32_000

#: Bits of the smallest RSA key that OpenSSL accepts at its security level 2, and browsers at all.
RSA_BITS_MIN = 2048

#: Elliptic curves that TLS clients verify certificates with (RFC 8446 section 4.2.3).
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})

_CERTIFICATE_MARK = "-----BEGIN CERTIFICATE-----"
_KEY_MARK = "PRIVATE KEY-----"

Finding = tuple[int, str]


def check_pair(certificate_pem: str, private_key_pem: str) -> list[Finding]:
    """
    Look for everything that keeps a certificate and its key from being served.

    :param certificate_pem: the leaf first, then each issuer in order; the root may be left out.
    :param private_key_pem: the leaf's key, not encrypted: RSA, ECDSA or Ed25519.
    :return: pairs of an ``ERR_NGROK_…`` number and a sentence; empty when all is well.
    """
    certificates, findings = _read_certificates(certificate_pem)
    key, key_findings = _read_key(private_key_pem)
    findings += key_findings
    if certificates and key is not None:
        findings += _check_match(certificates, key)
    if certificates and not any(code == 1926 for code, _ in findings):
        findings += _check_order(certificates)
    return findings


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
    :return: the private key.
    :raises ValueError: there is none that can be used; the message is a sentence and quotes nothing of the key.
    """
    key, findings = _read_key(private_key_pem)
    if findings:
        raise ValueError(findings[0][1])
    return key


def same_key(certificate: x509.Certificate, key: Any) -> bool:
    """Whether the certificate was made for this private key."""
    return _public_bytes(certificate.public_key()) == _public_bytes(key.public_key())


def _read_certificates(pem: str) -> tuple[list[x509.Certificate], list[Finding]]:
    if not pem.strip():
        return [], [(1922, "The certificate is missing.")]
    if len(pem) > CERTIFICATE_PEM_MAX:
        return [], [(1921, f"The certificate bundle is longer than {CERTIFICATE_PEM_MAX} characters.")]
    if _KEY_MARK in pem:
        return [], [(1925, "The certificate holds a private key: put the key into its own field.")]
    if _CERTIFICATE_MARK not in pem:
        return [], [(1900, "The certificate is not PEM: it starts with '-----BEGIN CERTIFICATE-----'.")]
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii"))
        for certificate in certificates:
            _public_bytes(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return [], [(1900, "The certificate cannot be read.")]
    return certificates, []


def _read_key(pem: str) -> tuple[Any, list[Finding]]:
    if not pem.strip():
        return None, [(1901, "The private key is missing.")]
    if _CERTIFICATE_MARK in pem and _KEY_MARK not in pem:
        return None, [(1924, "The private key field holds a certificate.")]
    if len(pem) > PRIVATE_KEY_PEM_MAX or _KEY_MARK not in pem:
        return None, [(1903, "The private key is not PEM: it starts with '-----BEGIN PRIVATE KEY-----'.")]
    if "BEGIN ENCRYPTED PRIVATE KEY" in pem or "Proc-Type: 4,ENCRYPTED" in pem:
        return None, [(1902, "The private key is encrypted: decrypt it first, as with 'openssl pkey'.")]
    try:
        key = load_pem_private_key(pem.encode("ascii"), None)
    except TypeError:
        return None, [(1902, "The private key is encrypted: decrypt it first, as with 'openssl pkey'.")]
    except (ValueError, UnsupportedAlgorithm):
        return None, [(1903, "The private key cannot be read.")]
    unfit = _unfit(key)
    return (None, [(1903, unfit)]) if unfit else (key, [])


def _unfit(key: Any) -> str:
    """Why TLS cannot use this key, or an empty string."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "" if key.key_size >= RSA_BITS_MIN else f"The RSA key has fewer than {RSA_BITS_MIN} bits."
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "" if key.curve.name in CURVES else f"TLS has no use for keys on the curve {key.curve.name}."
    return "" if isinstance(key, ed25519.Ed25519PrivateKey) else "The private key is not RSA, ECDSA or Ed25519."


def _check_match(certificates: list[x509.Certificate], key: Any) -> list[Finding]:
    if same_key(certificates[0], key):
        return []
    if any(same_key(certificate, key) for certificate in certificates[1:]):
        return [(1926, "The bundle is out of order: the certificate of the private key comes first.")]
    return [(1923, "The certificate and the private key do not belong together.")]


def _check_order(certificates: list[x509.Certificate]) -> list[Finding]:
    for place, (certificate, issuer) in enumerate(zip(certificates, certificates[1:]), start=2):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            message = f"The bundle is out of order: certificate {place} did not issue the one before it."
            return [(1926, message)]
    return []


def _public_bytes(key: Any) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
