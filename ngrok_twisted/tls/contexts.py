"""
`ssl.SSLContext` objects from a key pair and `TLSOptions`, after Mozilla's *intermediate* configuration.

Compression and renegotiation are off, ciphers are authenticated and forward secret. Visitors that put ChaCha20 first get it,
since phones without AES in hardware know best; all others get AES-128, which is the cheapest for both ends. Session tickets
are on. OpenSSL keeps one ticket key a context, which is
rotated by making a new context: see `TICKET_KEY_LIFE` and `ngrok_twisted.tls.certificates`. Contexts with different options
never share a key, so a session that was opened without a client certificate cannot be resumed where one is required; with
the same options several processes do, where they are told a secret to derive it from.

Source: https://wiki.mozilla.org/Security/Server_Side_TLS, version 5.8.
"""

from __future__ import annotations

import hmac
import os
import ssl
from contextlib import contextmanager
from dataclasses import replace
from tempfile import NamedTemporaryFile
from typing import Iterator

from ngrok_twisted.tls.openssl import TICKET_KEY_BYTES, forget_sessions, set_ticket_key, tune
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.tls.pem import Finding, split_pairs

HOURS = 3600.0

#: After this many seconds a context is made anew, and with it the key that seals session tickets: whoever steals a key
#: can read the TLS 1.2 sessions of half a day, no more.
TICKET_KEY_LIFE = 12 * HOURS

#: Given with a whole handshake; a resumed one is always given one. A visitor that comes back has used one up and been given
#: another. Who opens several connections at the same moment has no ticket for any of them, or the first of HTTP/2 is enough;
#: OpenSSL's second one would cost a twentieth of the handshake.
TICKETS = 1

#: TLS 1.2; those of TLS 1.3 are always good.
CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)

#: What TLS 1.0 and 1.1 need besides; they sign with SHA-1, which OpenSSL only does at its lowest security level.
OLD_CIPHERS = (
    CIPHERS + ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:@SECLEVEL=0"
)

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


def make_context(
    certificate_pem: str, private_key_pem: str, options: TLSOptions, tickets: bytes = b""
) -> ssl.SSLContext:
    """
    :param certificate_pem: the leaf first, then each issuer in order. With such a chain for each type of key, each
        visitor is shown the one that the signature algorithms and ciphers of its ClientHello call for.
    :param private_key_pem: the key of each leaf, not encrypted.
    :param tickets: a secret that the ticket key is derived from; empty for a key that nobody else has.
    :raises ssl.SSLError: the pair cannot be used; `ngrok_twisted.tls.pem.check_pair` tells why.
    :raises ValueError: the options are not possible.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, options)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # where `tune` cannot order them
    context.num_tickets = TICKETS
    if options.alpn:
        context.set_alpn_protocols([name.decode("ascii") for name in options.alpn])
    tune(context)
    _load(context, certificate_pem, private_key_pem)
    if tickets:
        set_ticket_key(context, _ticket_key(tickets, options))
    _ask_for_certificates(context, options)
    return context


def _ticket_key(secret: bytes, options: TLSOptions) -> bytes:
    """The key for one set of options (HKDF-Expand, RFC 5869 section 2.3, with SHA-256)."""
    about = repr(replace(options, pair=None)).encode()
    blocks = [b""]
    while sum(map(len, blocks)) < TICKET_KEY_BYTES:
        blocks.append(hmac.digest(secret, blocks[-1] + about + bytes([len(blocks)]), "sha256"))
    return b"".join(blocks)[:TICKET_KEY_BYTES]


def check_loads(certificate_pem: str, private_key_pem: str) -> list[Finding]:
    """
    What OpenSSL itself says of a pair in which `ngrok_twisted.tls.pem.check_pair` found nothing: it may still refuse a
    certificate, such as one that is signed with SHA-1.

    :return: pairs of an ``ERR_NGROK_…`` number and a sentence; empty when all is well.
    """
    try:
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate_pem, private_key_pem)
    except (ssl.SSLError, ValueError) as error:
        reason = (getattr(error, "reason", None) or "the reason is not known").replace("_", " ").lower()
        return [(1900, f"TLS cannot use the certificate: {reason}.")]
    return []


def _load(context: ssl.SSLContext, certificate_pem: str, private_key_pem: str) -> None:
    """OpenSSL keeps one chain for each type of key."""
    for chain, key in split_pairs(certificate_pem, private_key_pem):
        with _readable(chain + "\n" + key) as path:
            context.load_cert_chain(path)


def _set_versions(context: ssl.SSLContext, options: TLSOptions) -> None:
    if options.min_version not in _VERSIONS or options.max_version not in _VERSIONS:
        raise ValueError(f"TLS versions are {', '.join(_VERSIONS)}")
    old = options.min_version < "1.2"
    context.set_ciphers(OLD_CIPHERS if old else CIPHERS)
    context.minimum_version = _VERSIONS[options.min_version]
    context.maximum_version = _VERSIONS[options.max_version]


def _ask_for_certificates(context: ssl.SSLContext, options: TLSOptions) -> None:
    """
    A CA that is not self-signed is a trust anchor too: the operator chose it. A resumed session would spare the visitor the
    certificate, which may have expired since, so that every handshake is a full one.
    """
    if not options.client_cas:
        return
    forget_sessions(context)
    context.load_verify_locations(cadata="\n".join(options.client_cas))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_OPTIONAL if options.client_certificate_optional else ssl.CERT_REQUIRED


@contextmanager
def _readable(text: str) -> Iterator[str]:
    """
    A path under which OpenSSL can read a text, since `ssl` loads key pairs from files only. On Linux the file is in
    memory and has no name; elsewhere it is a temporary one that only we may read.
    """
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("pair")
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("ascii"))
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
        return
    with NamedTemporaryFile("w", suffix=".pem") as named:
        named.write(text)
        named.flush()
        yield named.name
