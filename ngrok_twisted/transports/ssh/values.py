"""
How the value of a flag is read: one pure function a kind of value. They raise ``ValueError`` with a sentence, which the
parser of commands turns into a refusal that names the flag; a `Refused` with a code of its own passes through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isnan, nan

from ngrok_twisted.errors import Refused

#: Bytes; ngrok's limits for every resource.
MAX_DESCRIPTION = 255
MAX_METADATA = 4096
#: Label pairs of one tunnel; ngrok's limit.
MAX_LABELS = 10

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(?:\d{1,9}[smhdw])+", re.ASCII)
_EPOCH = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expiry:
    """
    When an endpoint closes.

    :ivar seconds: a number of seconds.
    :ivar relative: they count from the claim, not from the Unix epoch.
    """

    seconds: float
    relative: bool

    def moment(self, now: float) -> float:
        """
        :param now: seconds since the epoch.
        :return: seconds since the epoch when it ends.
        """
        return now + self.seconds if self.relative else self.seconds


def boolean(text: str) -> bool:
    """``true`` or ``false``, in the spellings that Go's flag parser takes."""
    folded = text.lower()
    if folded in ("true", "1", "t"):
        return True
    if folded in ("false", "0", "f"):
        return False
    raise ValueError("expects true or false")


def choice(*allowed: str):  # type: ignore[no-untyped-def]
    """A reader for one of some words."""

    def read(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"expects one of {', '.join(allowed)}")
        return text.lower()

    return read


def short_text(text: str) -> str:
    """A description or a name, at most 255 bytes, on one line."""
    if len(text.encode()) > MAX_DESCRIPTION:
        raise ValueError(f"is longer than {MAX_DESCRIPTION} bytes")
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


def metadata(text: str) -> str:
    """
    Opaque text of at most 4096 bytes.

    :raises Refused: 100, ngrok's number for metadata that is too long.
    """
    if len(text.encode()) > MAX_METADATA:
        raise Refused(100, f"The metadata is longer than {MAX_METADATA} bytes.")
    return text


def binding(text: str) -> str:
    """
    Who may reach the endpoint.

    :raises Refused: 15005 for an unknown word, 1109 for a binding this server does not serve.
    """
    folded = text.lower()
    if folded not in ("public", "internal", "kubernetes"):
        raise Refused(15005, "This binding is unknown. This server serves the bindings public and internal.")
    if folded == "kubernetes":
        raise Refused(1109, "The binding kubernetes is not built into this server yet. Use public or internal.")
    return folded


def http_version(text: str) -> str:
    """
    How to speak to the local service.

    :raises Refused: 15003.
    """
    folded = text.lower()
    if folded not in ("http1", "http2"):
        raise Refused(15003, "This is not a protocol to speak to your service. The protocols are http1 and http2.")
    return folded


def proxy_version(text: str) -> int:
    """
    The version of the PROXY header.

    :raises Refused: 1123.
    """
    if text not in ("1", "2"):
        raise Refused(1123, "This is not a version of the PROXY protocol. The versions are 1 and 2.")
    return int(text)


def number(text: str) -> float:
    """A number, with a point if it has a fraction."""
    try:
        found = float(text)
    except ValueError:
        found = nan
    if isnan(found):
        raise ValueError("expects a number, such as 0.5")
    return found


def header_value(text: str) -> str:
    """
    The value of ``Host``: ``preserve`` leaves it alone.

    :raises Refused: 1109 for ``rewrite``, since the server never learns the local address.
    """
    if text.lower() == "preserve":
        return ""
    if text.lower() == "rewrite":
        raise Refused(
            1109,
            "--host-header rewrite is not possible over SSH: only the client knows the local address. "
            "Name the host instead.",
        )
    if not text or not re.fullmatch(r"[\x21-\x7e]{1,255}", text) or set(text) & set('/?#@\\"<>,'):
        raise ValueError("expects a host name, such as app.local or localhost:3000")
    return text


def header_line(code: int):  # type: ignore[no-untyped-def]
    """A reader for ``name: value``; ``code`` is ngrok's number for what is none."""

    def read(text: str) -> str:
        if ":" not in text:
            raise Refused(code, "A header to add is written as 'name: value', and one of these has no colon.")
        return text

    return read


def host_name(text: str) -> str:
    """The name to ask a TLS service for."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", text, re.ASCII):
        raise ValueError("expects a host name")
    return text.lower()


def expiry(text: str) -> Expiry:
    """A duration such as ``15m``, ``2h`` or ``1d12h``; an RFC 3339 time; or seconds since the epoch."""
    if _DURATION.fullmatch(text):
        seconds = sum(int(amount) * _UNITS[unit] for amount, unit in re.findall(r"(\d+)([smhdw])", text))
        if seconds:
            return Expiry(seconds, True)
    elif _EPOCH.fullmatch(text):
        return Expiry(int(text), False)
    else:
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=timezone.utc)
            return Expiry(moment.timestamp(), False)
        except (ValueError, OverflowError):
            pass
    raise ValueError(
        "expects a duration such as 15m, 2h or 1d, a time such as 2030-01-31T12:00:00Z, or seconds since 1970"
    )


def label(text: str) -> str:
    """One ``key=value`` pair of a labelled tunnel."""
    key, equals, value = text.partition("=")
    if not equals or not key or not value:
        raise ValueError("expects key=value")
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


def labels(pairs: tuple[str, ...]) -> dict[str, str]:
    """
    The pairs of a labelled tunnel as a mapping.

    :raises Refused: 1110: none, too many, one twice, or too long in all.
    """
    if not pairs:
        raise Refused(1110, "The command tunnel needs at least one --label key=value.")
    if len(pairs) > MAX_LABELS:
        raise Refused(1110, f"A tunnel may carry {MAX_LABELS} labels, and {len(pairs)} were given.")
    if len(",".join(pairs).encode()) > MAX_METADATA:
        raise Refused(1110, f"The labels are longer than {MAX_METADATA} bytes in all.")
    found: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if found.setdefault(key, value) != value:
            raise Refused(1110, f"The label '{key}' was given two values.")
    return found


def terminate_at(text: str) -> str:
    """
    Where TLS ends.

    :raises Refused: 1109 for ``agent``: there is no agent program that could do it.
    """
    if text.lower() == "agent":
        raise Refused(
            1109, "--terminate-at agent is not possible over SSH: the SSH client cannot end TLS. Use upstream."
        )
    return str(choice("upstream", "edge")(text))


def authority_id(text: str) -> str:
    """
    A certificate authority of the account.

    :raises Refused: 1109 for a path.
    """
    if not text.startswith("ca_"):
        raise Refused(
            1109,
            "--mutual-tls-cas takes ids of certificate authorities (ca_...): "
            "a file on your machine cannot be read over SSH.",
        )
    return text


def policy_url(text: str) -> str:
    """Where a policy stands; a name and a password in a URL would be shown to whoever reads it."""
    scheme, colon, rest = text.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme.lower() not in ("http", "https") or not host or "@" in host or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("expects the URL of a document, such as https://example.com/policy.yaml")
    return text


def standard_input(text: str) -> str:
    """
    ``-``, the session's standard input.

    :raises Refused: 1109 for a path.
    """
    if text != "-":
        raise Refused(
            1109,
            "A policy file on your machine cannot be read over SSH. "
            "Use - for the path, and feed the file to ssh's standard input.",
        )
    return text
