"""
Where a server is, as visitors, agents and API clients write it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Iterable

from ngrok_twisted.control.config import Config
from ngrok_twisted.net.listening import interface_of, port_of
from ngrok_twisted.records.agent_ingress import CONNECT_LABEL

#: Interfaces that mean every address of the machine.
_EVERYWHERE = ("", "0.0.0.0", "::")

HTTPS_PORT, HTTP_PORT, SSH_PORT, AGENT_PORT = 443, 80, 22, 4443


def first_port(descriptions: Iterable[str], default: int) -> int:
    """
    The port of the first listener that has one.

    :param descriptions: Twisted endpoint strings.
    """
    return next((port for description in descriptions if (port := port_of(description))), default)


def public_ports(config: Config) -> dict[str, int]:
    """What visitors dial, which is what URLs show: the ports of ``https`` and ``http``."""
    return {
        "https": config.public_port or first_port(config.listen.https, HTTPS_PORT),
        "http": first_port(config.listen.http, HTTP_PORT),
    }


def api_host(config: Config) -> str:
    """The name of the management API on the https listener."""
    return f"api.{config.domain}"


def agent_host(config: Config) -> str:
    """The name of the agents' way in on the https listener."""
    return f"{CONNECT_LABEL}.{config.domain}"


def connect_host(config: Config) -> str:
    """The name that agents connect to: no resolver need know those that end in ``.localhost``."""
    return "localhost" if config.domain.endswith(".localhost") else agent_host(config)


def agent_address(config: Config) -> str:
    """What ngrok's agents and SDKs are given as the server's address, ``host:port``; empty where they cannot connect."""
    if config.listen.agent:
        return f"{connect_host(config)}:{first_port(config.listen.agent, AGENT_PORT)}"
    return f"{agent_host(config)}:{public_ports(config)['https']}" if config.listen.https else ""


def api_url(config: Config) -> str:
    """What the URLs of the management API start with on the https listener."""
    port = public_ports(config)["https"]
    return f"https://{api_host(config)}" + ("" if port == HTTPS_PORT else f":{port}")


def nearest_api_url(config: Config) -> str:
    """
    Where somebody on this machine reaches the management API most easily: on its plain listener, if there is one. Empty if
    the API is nowhere.
    """
    for description in config.listen.api:
        port, interface = port_of(description), interface_of(description)
        if port:
            host = "127.0.0.1" if interface in _EVERYWHERE else f"{interface}"
            return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return api_url(config) if config.listen.https else ""


def exposed(description: str) -> bool:
    """
    Whether a listener can be reached from other machines, as far as its endpoint string tells.

    :param description: a Twisted endpoint string.
    """
    interface = interface_of(description)
    if interface is None:
        return False
    try:
        return interface in _EVERYWHERE or not ip_address(interface).is_loopback
    except ValueError:
        return interface != "localhost"
