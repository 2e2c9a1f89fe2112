"""
The names of cipher suites: OpenSSL's spelling into that of IANA's registry of TLS cipher suites.
"""

from __future__ import annotations

import re

# Key exchange and authentication; where OpenSSL names neither, RSA does both.
_EXCHANGE = re.compile(r"(?:(ECDHE|DHE|ECDH|DH)-(ECDSA|RSA|DSS)-)?(.+)")

_BULK = re.compile(r"(AES|CAMELLIA|ARIA)(128|256)-(?:(GCM|CCM8|CCM)-?)?(SHA[0-9]*)?")

_OTHERS = {
    "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256",
    "DES-CBC3-SHA": "3DES_EDE_CBC_SHA",
}


def standard_name(name: str) -> str:
    """
    :param name: as OpenSSL calls it, such as ``ECDHE-RSA-AES128-GCM-SHA256``.
    :return: such as ``TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256``. Those of TLS 1.3 are the same in both; the name of a suite
        without certificates stays as it is.
    """
    match = _EXCHANGE.fullmatch(name)
    if name.startswith("TLS_") or match is None:
        return name
    cipher = _cipher(match[3])
    if not cipher:
        return name
    return f"TLS_{match[1]}_{match[2]}_WITH_{cipher}" if match[1] else f"TLS_RSA_WITH_{cipher}"


def _cipher(name: str) -> str:
    if name in _OTHERS:
        return _OTHERS[name]
    match = _BULK.fullmatch(name)
    if match is None:
        return ""
    mode = {"CCM8": "CCM_8"}.get(match[3] or "CBC", match[3] or "CBC")
    return "_".join(word for word in (match[1], match[2], mode, match[4]) if word)
