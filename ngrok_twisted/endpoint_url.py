"""
URLs of endpoints: a scheme, a host and perhaps a port, and nothing else.

Pure functions, because those who make endpoints and those who forward to them read the same text.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import PORT_MAX, normalise

#: The port of each scheme that has one of its own.
DEFAULT_PORTS = {"https": 443, "tls": 443, "http": 80}

SCHEMES = (*DEFAULT_PORTS, "tcp")

INTERNAL = ".internal"

#: The most parts of an internal name.
INTERNAL_PARTS_MAX = 5

#: Characters of a URL that a message repeats.
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class EndpointURL:
    """
    :ivar proto: one of `SCHEMES`.
    :ivar host: the normalised name; empty in a URL that is only a scheme.
    :ivar port: as written, or that of the scheme.
    """

    proto: str
    host: str
    port: int

    def __str__(self) -> str:
        port = "" if self.port == DEFAULT_PORTS.get(self.proto) else f":{self.port}"
        return f"{self.proto}://{self.host}{port}"


def parse_url(text: str) -> EndpointURL:
    """
    Take the URL of an endpoint apart. An ``.internal`` name may do without its scheme, which is https then.

    :raises Refused: 249 if it is no URL, 18001 if it holds more than an endpoint's URL does or its host is no name, 18022
        for the scheme, 18003 where a port is needed.
    """
    shown = _shown(text)
    if not text.isprintable() or " " in text:
        raise Refused(249, f"'{shown}' is not a URL.")
    parts, port = _split(text if "://" in text else f"//{text}", shown)
    if not parts.scheme and not (parts.hostname or "").rstrip(".").endswith(INTERNAL):
        raise Refused(18022, f"'{shown}' has no scheme: begin it with https://, http://, tls:// or tcp://.")
    proto = parts.scheme or "https"
    if proto not in SCHEMES:
        raise Refused(18022, f"The scheme {_shown(proto)} is unknown. Use https, http, tls or tcp.")
    if parts.path or parts.query or parts.fragment or any(sign in text for sign in "?#@"):
        raise Refused(18001, f"'{shown}' holds more than a scheme, a host and a port. Leave the rest out.")
    host = _name(parts.hostname) if parts.hostname else ""
    port = DEFAULT_PORTS.get(proto) if port is None else port
    if port is None:
        raise Refused(18003, f"'{shown}' needs a port: write it as tcp://host:port.")
    return EndpointURL(proto, host, port)


def split_url(text: str) -> tuple[str, str, int | None]:
    """
    Take the URL apart that an agent asks for, of which each part may be missing.

    :return: the scheme or nothing, the host or nothing, and the port or ``None``. The host is not judged.
    :raises Refused: ngrok's numbers for URLs of agents.
    """
    shown = _shown(text)
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError as error:
        code = 9033 if "cast" in str(error) else 9030 if "range" in str(error) else 9034
        raise Refused(code, f"'{shown}' is not a URL.") from None
    if parts.path == "/" and not (parts.query or parts.fragment or parts.username is not None):
        raise Refused(9038, f"'{shown}' ends with a slash. Leave it out.")
    if parts.path or parts.query or parts.fragment or any(sign in text for sign in "?#@"):
        raise Refused(9037, f"'{shown}' holds more than scheme, host and port.")
    if parts.scheme and parts.scheme not in SCHEMES:
        raise Refused(9036, f"The scheme {_shown(parts.scheme)} is unknown. Use https, http, tls or tcp.")
    if port == 0:
        raise Refused(9030, f"The port of '{shown}' is out of range.")
    return parts.scheme, parts.hostname or "", port


def check_internal(url: EndpointURL) -> None:
    """
    :raises Refused: 18001, no internal endpoint has this URL.
    """
    if not url.host.endswith(INTERNAL):
        raise Refused(18001, f"'{_shown(url.host)}' does not end in '.internal', as internal endpoints do.")
    if url.host.count(".") >= INTERNAL_PARTS_MAX:
        raise Refused(18001, f"'{_shown(url.host)}' has more than {INTERNAL_PARTS_MAX} parts.")


def _split(text: str, shown: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Refused(249, f"'{shown}' is not a URL: its host or port cannot be read.") from None
    if parts.netloc.endswith(":") or port == 0:
        raise Refused(18001, f"The port of '{shown}' is not one from 1 to {PORT_MAX}.")
    return parts, port


def _name(host: str) -> str:
    try:
        return normalise(host)
    except Refused as refused:
        raise Refused(18001, refused.message) from None


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
