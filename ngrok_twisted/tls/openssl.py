"""
What Python's `ssl` module does not hand through, set on the OpenSSL context underneath it.

Three settings are worth the reach: the list of key exchange groups (`ssl` can only name one), buffers that idle
connections give back (some 30 KiB each), and the cache of sessions. Everything here is optional: where the context cannot be
reached with certainty, such as in a Python that carries its own copy of OpenSSL, `tune` leaves it as it is.
"""

from __future__ import annotations

import _ssl
import ssl
import sys
from ctypes import CDLL, c_int, c_long, c_ulong, c_void_p, cast, create_string_buffer
from typing import Any

from twisted.logger import Logger

#: SSL_CTX_ctrl commands, fixed by the ABI of OpenSSL 1.1.1 and 3: ``include/openssl/ssl.h``.
_SSL_CTRL_MODE = 33
_SSL_CTRL_SET_SESS_CACHE_MODE = 44
_SSL_CTRL_SET_GROUPS_LIST = 92

#: Give the read and write buffers of a connection back while it is idle.
_SSL_MODE_RELEASE_BUFFERS = 0x10

#: Remember no sessions.
_SSL_SESS_CACHE_OFF = 0

#: Best first; Mozilla's intermediate configuration 5.8. The hybrid group needs OpenSSL 3.5, so there is one list without.
_GROUPS = (b"X25519MLKEM768:X25519:P-256:P-384", b"X25519:P-256:P-384")

_log = Logger()


def tune(context: ssl.SSLContext) -> bool:
    """
    Restrict the groups and release idle buffers.

    :return: whether it could be done.
    """
    if _libssl is None:
        return False
    address = c_void_p.from_address(id(context) + object.__basicsize__)
    control = _libssl.SSL_CTX_ctrl
    control(address, _SSL_CTRL_MODE, _SSL_MODE_RELEASE_BUFFERS, None)
    for groups in _GROUPS:
        text = create_string_buffer(groups)
        if control(address, _SSL_CTRL_SET_GROUPS_LIST, 0, cast(text, c_void_p)) == 1:
            return True
    return False


def forget_sessions(context: ssl.SSLContext) -> None:
    """
    Let no handshake be a resumption of an earlier one: no tickets (RFC 8446 section 4.6.1, RFC 5077), and no sessions that
    are remembered by their ids (RFC 5246 section 7.4.1.2) where the context can be reached.
    """
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if _libssl is not None:
        address = c_void_p.from_address(id(context) + object.__basicsize__)
        _libssl.SSL_CTX_ctrl(address, _SSL_CTRL_SET_SESS_CACHE_MODE, _SSL_SESS_CACHE_OFF, None)


def _load() -> Any:
    """
    The very library that Python's `ssl` is linked to, or ``None``.

    Its context object begins with the ``SSL_CTX *`` right after CPython's object header; that is proved here once, by
    reading through it a setting that `ssl` knows too.
    """
    path = getattr(_ssl, "__file__", None)
    if sys.implementation.name != "cpython" or path is None:
        return None
    try:
        library = CDLL(path)
        library.OpenSSL_version_num.restype = c_ulong
        library.SSL_CTX_ctrl.argtypes = (c_void_p, c_int, c_long, c_void_p)
        library.SSL_CTX_ctrl.restype = c_long
        library.SSL_CTX_get_num_tickets.argtypes = (c_void_p,)
        same_version = library.OpenSSL_version_num() == ssl.OPENSSL_VERSION_NUMBER
    except (OSError, AttributeError):
        return None
    return library if same_version and _is_reached(library) else None


def _is_reached(library: Any) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    address = c_void_p.from_address(id(context) + object.__basicsize__)
    readings = []
    for tickets in (5, 3):
        context.num_tickets = tickets
        readings.append(library.SSL_CTX_get_num_tickets(address) == tickets)
    return all(readings)


_libssl = _load()
