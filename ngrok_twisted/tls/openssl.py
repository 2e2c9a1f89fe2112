"""
What Python's `ssl` module does not hand through, set on the OpenSSL context underneath it.

Six settings are worth the reach: the list of key exchange groups (`ssl` can only name one), the order of TLS 1.3's ciphers,
buffers that idle connections give back (some 30 KiB each), chains that are sent as they are, the cache of sessions, and the
key of tickets. Everything here is optional: where the context cannot be reached with certainty, such as in a Python that
carries its own copy of OpenSSL, `tune` leaves it as it is.
"""

from __future__ import annotations

import _ssl
import ssl
import sys
from ctypes import CDLL, PyDLL, c_char_p, c_int, c_long, c_ulong, c_void_p, cast, create_string_buffer
from typing import Any, Callable

from twisted.logger import Logger

#: SSL_CTX_ctrl commands, fixed by the ABI of OpenSSL 1.1.1 and 3: ``include/openssl/ssl.h``.
_SSL_CTRL_MODE = 33
_SSL_CTRL_SET_SESS_CACHE_MODE = 44
_SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59
_SSL_CTRL_SET_GROUPS_LIST = 92

#: Give the read and write buffers of a connection back while it is idle.
_SSL_MODE_RELEASE_BUFFERS = 0x10

#: Show the chain that was configured. Otherwise, where that is the leaf alone, each handshake looks for more of it.
_SSL_MODE_NO_AUTO_CHAIN = 0x8

#: Best first for the server, which is asked because of `_SERVER_CHOOSES`: the hash of AES-256's suite is SHA-384, for which
#: processors have no instructions, and of the two dozen hashes of a handshake that makes up a tenth.
_CIPHERSUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

#: The server's order counts, except for visitors that put ChaCha20 first, as phones without AES in hardware do
#: (``SSL_OP_PRIORITIZE_CHACHA``, which `ssl` has no name for).
_SERVER_CHOOSES = ssl.OP_CIPHER_SERVER_PREFERENCE | 1 << 21

#: Remember no sessions.
_SSL_SESS_CACHE_OFF = 0

#: BIO_ctrl commands, ``include/openssl/bio.h``: how much waits; another buffer, which goes with the BIO.
_BIO_CTRL_PENDING = 10
_BIO_C_SET_BUF_MEM = 114
_BIO_CLOSE = 1

#: A ticket key of OpenSSL: its name, a key for HMAC-SHA-256 and one for AES-256.
TICKET_KEY_BYTES = 16 + 32 + 32

#: Best first; Mozilla's intermediate configuration 5.8. The hybrid group needs OpenSSL 3.5, so there is one list without.
_GROUPS = (b"X25519MLKEM768:X25519:P-256:P-384", b"X25519:P-256:P-384")

_log = Logger()


def tune(context: ssl.SSLContext) -> bool:
    """
    Restrict the groups, order the ciphers of TLS 1.3, release idle buffers, and send chains as they are.

    :return: whether it could be done.
    """
    if _libssl is None:
        return False
    address = c_void_p.from_address(id(context) + object.__basicsize__)
    control = _libssl.SSL_CTX_ctrl
    control(address, _SSL_CTRL_MODE, _SSL_MODE_RELEASE_BUFFERS | _SSL_MODE_NO_AUTO_CHAIN, None)
    if order_ciphersuites(context, _CIPHERSUITES):
        context.options |= _SERVER_CHOOSES
    for groups in _GROUPS:
        text = create_string_buffer(groups)
        if control(address, _SSL_CTRL_SET_GROUPS_LIST, 0, cast(text, c_void_p)) == 1:
            return True
    return False


def order_ciphersuites(context: ssl.SSLContext, names: bytes) -> bool:
    """
    Say which ciphers of TLS 1.3 are spoken, best first.

    :param names: with colons between.
    :return: whether it could be done.
    """
    if _libssl is None:
        return False
    address = c_void_p.from_address(id(context) + object.__basicsize__)
    return bool(_libssl.SSL_CTX_set_ciphersuites(address, names) == 1)


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


def set_ticket_key(context: ssl.SSLContext, key: bytes) -> bool:
    """
    Seal tickets with this key instead of one that nobody else has: sessions can be resumed wherever it is known.

    :param key: `TICKET_KEY_BYTES` bytes.
    :return: whether it could be done.
    """
    if _libssl is None or len(key) != TICKET_KEY_BYTES:
        return False
    address = c_void_p.from_address(id(context) + object.__basicsize__)
    text = create_string_buffer(key, len(key))
    done = _libssl.SSL_CTX_ctrl(address, _SSL_CTRL_SET_TLSEXT_TICKET_KEYS, len(key), cast(text, c_void_p))
    return bool(done == 1)


def bare_connection(
    context: ssl.SSLContext,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    server_side: bool,
    name: str | None = None,
) -> Any:
    """
    What an `ssl.SSLObject` stands before. All that it adds is a call in Python to each call of OpenSSL, a few to make it, and
    150 bytes to each connection; only callbacks of the context, of which we have none, need it.

    :param incoming: what it reads from.
    :param outgoing: what it writes to.
    :param name: for clients, the server's.
    """
    if server_side:
        return context._wrap_bio(incoming, outgoing, True, None, owner=None, session=None)  # type: ignore[attr-defined]
    wrapped: Any = context.wrap_bio(incoming, outgoing, server_hostname=name)
    return wrapped._sslobj


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
        library.SSL_CTX_set_ciphersuites.argtypes = (c_void_p, c_char_p)
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


def _make_release(library: Any) -> Callable[[ssl.MemoryBIO], None]:
    """
    :param library: see `_load`.
    :return: `release`, which does nothing where a BIO cannot be reached with certainty. A MemoryBIO begins with the ``BIO *``,
        as a context does with the ``SSL_CTX *``.
    """
    if library is None:
        return lambda bio: None
    quick = PyDLL(library._name)  # without letting go of the interpreter, which would cost as much again
    control, make, at, header = quick.BIO_ctrl, quick.BUF_MEM_new, c_void_p.from_address, object.__basicsize__
    control.argtypes = (c_void_p, c_int, c_long, c_void_p)
    control.restype = c_long
    make.restype = c_void_p
    probe = ssl.MemoryBIO()
    probe.write(b"probe")
    if control(at(id(probe) + header), _BIO_CTRL_PENDING, 0, None) != 5:
        return lambda bio: None

    def release(bio: ssl.MemoryBIO) -> None:
        """See `release`."""
        buffer = make()
        if buffer is not None:
            control(at(id(bio) + header), _BIO_C_SET_BUF_MEM, _BIO_CLOSE, buffer)

    return release


_libssl = _load()

release: Callable[[ssl.MemoryBIO], None] = _make_release(_libssl)
"""
Give the buffer of an empty memory BIO back: it keeps the largest that it ever had, 22 KiB after a record of 16. It must be
empty: what it holds is lost. It takes a microsecond, and to grow again up to four.
"""
