"""
Points in time as clients write them: RFC 3339, to the second.
"""

from __future__ import annotations

import re
from datetime import datetime

#: RFC 3339 section 5.6; letters may be small.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)\Z", re.IGNORECASE | re.ASCII)

#: What programs in Go send for a time that was never set.
_GO_ZERO = "0001-01-01T00:00:00Z"


def moment(text: str) -> int | None:
    """
    :param text: such as ``2026-01-01T00:00:00Z``; a fraction of a second is cut off.
    :return: seconds since the epoch; ``None`` where nothing is said.
    :raises ValueError: it cannot be read, or lies before 1970; the message is a sentence.
    """
    if text in ("", _GO_ZERO):
        return None
    found = _RFC3339.match(text)
    seconds = None if found is None else _seconds(*found.groups())
    if seconds is None:
        raise ValueError("must be a time in RFC 3339, such as 2026-01-01T00:00:00Z")
    if seconds < 0:
        raise ValueError("must not be before 1970")
    return seconds


def _seconds(day: str, time: str, zone: str) -> int | None:
    try:
        return int(datetime.fromisoformat(f"{day}T{time}{'+00:00' if zone in 'Zz' else zone}").timestamp())
    except (ValueError, OverflowError):
        return None
