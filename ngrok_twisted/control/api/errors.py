"""
What the API answers when it refuses: the HTTP status that goes with each of ngrok's codes.
"""

from __future__ import annotations

from itertools import islice
from typing import Iterable, Mapping

from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Problem
from ngrok_twisted.schema import PROBLEMS_MAX

#: Unknown body field; a value or type that will not do; a malformed id in a path.
UNKNOWN_FIELD, BAD_VALUE, MALFORMED_ID = 214, 215, 222

#: Codes whose status is not 400 (specification of the API, section 4).
_STATUS: Mapping[int, int] = {
    **dict.fromkeys((200, 201, 202, 203, 204, 205, 206, 208, 220, 630, 633, 635, 636, 638, 4111), 403),
    **dict.fromkeys((222, 1402, 1404, 5103, 5123, 5125, 6514, 7000, 7124, 24006, 24009), 404),
    **dict.fromkeys((225, 226), 429),
    **dict.fromkeys(range(804, 811), 502),
}


def status_of(code: int | None) -> int:
    """The HTTP status of a code."""
    return _STATUS.get(code or 0, 400)


class APIError(Exception):
    """
    A request that is refused.

    :ivar status: the HTTP status.
    :ivar code: ngrok's number, or ``None``.
    :ivar message: sentences for people.
    :ivar details: field paths to sentences.
    :ivar retry_after: seconds after which the same request may succeed, or ``None``.
    """

    def __init__(
        self,
        code: int | None,
        message: str,
        *,
        status: int | None = None,
        details: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.status = status_of(code) if status is None else status
        self.details = dict(details or {})
        self.retry_after = retry_after
        super().__init__(code, message)

    @classmethod
    def refused(cls, refused: Refused) -> APIError:
        """From a `Refused` of another part."""
        return cls(refused.code, refused.message)

    @classmethod
    def problems(cls, problems: Iterable[Problem], codes: Mapping[str, int]) -> APIError:
        """
        From everything that is wrong with a body or a record; the first `PROBLEMS_MAX` are told.

        :param codes: the code of each field whose problem has none of its own; a field of a list item counts by its name.
            ``missing`` is the one of every required field that is not there.
        """
        found = list(islice(problems, PROBLEMS_MAX))
        coded = [(problem, _code(problem, codes)) for problem in found]
        sentences = [f"{problem.path}: {problem.message}" if problem.path else problem.message for problem in found]
        details = {problem.path: f"{problem.message} (ERR_NGROK_{code})" for problem, code in coded if problem.path}
        return cls(coded[0][1] if coded else BAD_VALUE, "\n".join(sentences), details=details)


def with_article(noun: str) -> str:
    """``a`` or ``an`` and the noun; an abbreviation counts by the name of its first letter."""
    vowels = "AEFHILMNORSX" if noun[:2].isupper() else "aeiou"
    return f"{'an' if noun[0] in vowels or noun.startswith('http') else 'a'} {noun}"


class NotFound(APIError):
    """Nothing of the caller's account has this id."""

    def __init__(self, noun: str, id: str, code: int | None = None) -> None:
        super().__init__(code, f"There is no {noun} {id}.", status=404)


class NoSuchMethod(APIError):
    """
    The API has no such path, or not with this verb.

    :ivar path: as it was asked for, decoded.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(None, "Not Found", status=404)


def _code(problem: Problem, codes: Mapping[str, int]) -> int:
    if problem.code:
        return problem.code
    if problem.kind == "unknown":
        return UNKNOWN_FIELD
    if problem.kind == "missing" and "missing" in codes:
        return codes["missing"]
    field = problem.path.partition(".")[0].partition("[")[0]
    return codes.get(problem.path, codes.get(field, BAD_VALUE))
