"""
Labels: the pairs by which a tunnel group finds its tunnels. What a group may ask for is what a tunnel may carry.

Source: specification of edges, section 3.1.
"""

from __future__ import annotations

from typing import Iterator, Mapping

from ngrok_twisted.records.base import Problem

#: Bounds of ngrok's: labels of one group or tunnel, and the characters of each part.
LABELS_MAX = 25
KEY_MAX = 128
VALUE_MAX = 256

#: ngrok's numbers for the bounds, and for a character that separates the two parts where agents write labels.
COUNT, _KEY, _VALUE, _SEPARATOR = 6508, 6509, 6510, 6531


def label_problems(labels: Mapping[str, str]) -> Iterator[Problem]:
    """Everything because of which no tunnel could carry these labels."""
    if not 1 <= len(labels) <= LABELS_MAX:
        yield Problem("labels", f"must be 1 to {LABELS_MAX} labels", code=COUNT)
    for key, value in labels.items():
        path = f"labels.{key[:KEY_MAX]}"
        if not 1 <= len(key) <= KEY_MAX:
            yield Problem(path, f"the label's name must have 1 to {KEY_MAX} characters", code=_KEY)
        if not 1 <= len(value) <= VALUE_MAX:
            yield Problem(path, f"must have 1 to {VALUE_MAX} characters", code=_VALUE)
        if "=" in key or "=" in value:
            yield Problem(path, "holds a '=', which no part of a label can", code=_SEPARATOR)
