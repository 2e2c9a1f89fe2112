"""
Signatures on requests to Amazon's APIs: Signature Version 4 (AWS documentation, "Create a signed AWS API request").

Only what event destinations need: POST to the root path without a query, every header signed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from time import gmtime, strftime
from typing import Mapping

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class AWSKey:
    """
    :ivar id: the access key's id, which is no secret.
    :ivar secret: the key.
    :ivar token: goes with a temporary key; empty for others.
    """

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def signed(
    key: AWSKey, region: str, service: str, host: str, headers: Mapping[str, str], body: bytes, seconds: float
) -> dict[str, str]:
    """
    The headers of a ``POST /``, with the signature over them and the body.

    :param service: as it stands in scopes, such as ``kinesis``.
    :param host: the value of ``Host``: the port belongs to it, unless it is the scheme's own.
    :param headers: the others, with lower-case names.
    :param seconds: now, since the epoch; Amazon accepts five minutes of difference.
    """
    date = strftime("%Y%m%dT%H%M%SZ", gmtime(seconds))
    complete = {**headers, "host": host, "x-amz-date": date}
    if key.token:
        complete["x-amz-security-token"] = key.token
    names = ";".join(sorted(complete))
    lines = "".join(f"{name}:{' '.join(complete[name].split())}\n" for name in sorted(complete))
    request = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    text = f"{_ALGORITHM}\n{date}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signature = _mac(_signing_key(key.secret, scope), text).hex()
    complete["authorization"] = (
        f"{_ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    del complete["host"]  # whoever sends the request writes it
    return complete


def _signing_key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
