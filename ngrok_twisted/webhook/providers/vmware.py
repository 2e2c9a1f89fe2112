"""
VMware Workspace ONE: basic authentication (RFC 7617). What is configured is ``username::password``.
"""

from __future__ import annotations

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.delivery import SHAPE, NotGenuine
from ngrok_twisted.webhook.digests import BAD_SECRET, decoded
from ngrok_twisted.webhook.schemes import Token
from ngrok_twisted.webhook.verifier import Provider


def _credentials(secret: str) -> bytes:
    username, colons, password = secret.partition("::")
    if not colons or not username or ":" in username:
        raise Refused(BAD_SECRET, "must be username::password")
    return f"{username}:{password}".encode("utf-8")


def _read(value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    found = decoded(rest.strip()) if scheme.lower() == b"basic" else None
    if found is None:
        raise NotGenuine(SHAPE, "its credentials are not basic authentication")
    return found


VMWARE = Provider(
    name="vmware",
    aliases=("vmware_workspace",),
    secret="username::password",
    schemes=(Token(header=b"authorization", read=_read, key=_credentials),),
)
