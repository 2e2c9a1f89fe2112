"""
Whether an IP address is one of this machine's own.
"""

from __future__ import annotations

from ipaddress import ip_address
from socket import AF_INET, AF_INET6, SOCK_DGRAM, socket

# Any will do: nothing is sent.
_DISCARD = 9


def is_local(host: str) -> bool:
    """
    Ask the kernel from where it would send to an address: to one of its own it would from that very address.

    :param host: an IP address; anything else is not one.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    with socket(AF_INET if address.version == 4 else AF_INET6, SOCK_DGRAM) as probe:
        try:
            probe.connect((host, _DISCARD))
        except OSError:
            return False  # no way leads there
        return bool(probe.getsockname()[0] == probe.getpeername()[0])
