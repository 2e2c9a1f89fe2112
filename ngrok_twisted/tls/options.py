"""
`TLSOptions`: how a handshake is done, as a value. Modules amend it; contexts are made from it and remembered by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: The versions an edge may be told to start from, oldest first.
VERSIONS = ("1.0", "1.1", "1.2", "1.3")

#: How ALPN calls HTTP/2 over TLS (RFC 9113 section 3.2).
HTTP2 = b"h2"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """
    :ivar certificate_pem: the bundle: leaf first, then each issuer in order.
    :ivar private_key_pem: the leaf's key, not encrypted.
    """

    certificate_pem: str
    private_key_pem: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSOptions:
    """
    :ivar min_version: the oldest version spoken, one of `VERSIONS`. Below 1.2 the ciphers of those days are offered too.
    :ivar max_version: the newest version spoken.
    :ivar alpn: what is offered by ALPN (RFC 7301), best first; empty offers nothing.
    :ivar client_cas: the visitor must show a certificate issued by one of these: PEM texts, one CA each. Empty: no
        certificate is asked for.
    :ivar client_certificate_optional: a visitor without a certificate is let through all the same.
    :ivar terminated: there is a handshake with the edge at all; else the visitor's bytes pass as they came.
    :ivar pair: what is shown, whatever name the visitor asks for; ``None`` for what the server has for the name.
    """

    min_version: str = "1.2"
    max_version: str = "1.3"
    alpn: tuple[bytes, ...] = (b"http/1.1",)
    client_cas: tuple[str, ...] = ()
    client_certificate_optional: bool = False
    terminated: bool = True
    pair: KeyPair | None = None
