"""
Where a cloud endpoint is to be: its URL and its binding, checked against each other. Pure; whether the account may have the
name, and whether it is free, is for `ngrok_twisted.control.rules.endpoints` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.endpoint_url import DEFAULT_PORTS, INTERNAL, EndpointURL, check_internal, parse_url
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import is_wildcard

BINDINGS = ("public", "internal", "kubernetes")

BAD_URL, NO_PORT, BAD_BINDING, NOT_IN_CLUSTERS, WRONG_PORT = 18001, 18003, 18007, 18018, 18023

#: Random names have twelve hexadecimal digits, as agents' do.
_RANDOM_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudURL:
    """
    :ivar text: lower case, and without the port of the scheme: what the owner calls it.
    :ivar proto: ``https``, ``http``, ``tls`` or ``tcp``.
    :ivar host: the normalised name, possibly a wildcard.
    :ivar port: the logical port: that of the scheme for public names, whatever visitors dial.
    :ivar binding: one of `BINDINGS`.
    """

    text: str
    proto: str
    host: str
    port: int
    binding: str


def bindings_of(given: tuple[str, ...]) -> str:
    """
    The one binding that was asked for; empty if none was.

    :raises Refused: 18007.
    """
    if len(set(given)) > 1:
        raise Refused(BAD_BINDING, "An endpoint has one binding.")
    if given and given[0] not in BINDINGS:
        raise Refused(BAD_BINDING, f"The binding '{given[0][:60]}' is unknown. Use {', '.join(BINDINGS)}.")
    return given[0] if given else ""


def cloud_url(
    text: str, binding: str, settings: ReservationSettings, random_bytes: Callable[[int], bytes] | None
) -> CloudURL:
    """
    :param binding: what was asked for; empty if the URL is to decide.
    :param random_bytes: for a name, where the URL is only a scheme; ``None`` where nothing may be random.
    :raises Refused: there can be no such endpoint; the code and the message say why.
    """
    url = parse_url(text)
    is_internal = url.host.endswith(INTERNAL)
    binding = binding or ("internal" if is_internal else "public")
    if binding == "public":
        if is_internal:
            raise Refused(BAD_BINDING, f"'{url.host}' is an internal name: leave out the binding, or make it internal.")
        return _public(url if url.host else _drawn(url, settings, random_bytes), settings)
    if not url.host:
        raise Refused(BAD_URL, f"'{url}' has no name: an {binding} endpoint needs one.")
    (check_internal if binding == "internal" else _check_in_clusters)(url)
    return CloudURL(text=str(url), proto=url.proto, host=url.host, port=url.port, binding=binding)


def dialled(endpoint: Any, settings: ReservationSettings) -> str:
    """
    What visitors type, where another port than the scheme's leads to a public name.

    :param endpoint: has ``proto``, ``host``, ``port`` and perhaps a ``binding``.
    """
    port = endpoint.port
    if endpoint.proto != "tcp" and getattr(endpoint, "binding", "public") == "public":
        port = settings.public_ports.get(endpoint.proto) or port
    return str(EndpointURL(endpoint.proto, endpoint.host, port))


def _public(url: EndpointURL, settings: ReservationSettings) -> CloudURL:
    port = url.port
    if url.proto != "tcp":
        port = DEFAULT_PORTS[url.proto]
        reached = settings.public_ports.get(url.proto)
        if reached is None:
            raise Refused(WRONG_PORT, f"This server does not listen for {url.proto}.")
        if url.port not in (port, reached):
            raise Refused(WRONG_PORT, f"A public {url.proto} endpoint has port {port}; {url.port} is not possible.")
    return CloudURL(text=str(url), proto=url.proto, host=url.host, port=port, binding="public")


def _drawn(url: EndpointURL, settings: ReservationSettings, random_bytes: Callable[[int], bytes] | None) -> EndpointURL:
    if random_bytes is None:
        raise Refused(BAD_URL, f"'{url}' has no name: a declared endpoint needs one, since random ones would change.")
    return EndpointURL(url.proto, f"{random_bytes(_RANDOM_BYTES).hex()}.{settings.base_domain}", url.port)


def _check_in_clusters(url: EndpointURL) -> None:
    if url.proto == "https":
        raise Refused(NOT_IN_CLUSTERS, "Endpoints bound to kubernetes speak http, tls or tcp.")
    if url.host.count(".") != 1 or is_wildcard(url.host):
        raise Refused(BAD_URL, f"'{url.host}' is not the name of a service in a namespace: write it as name.namespace.")
