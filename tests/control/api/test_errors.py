"""
Tests for `ngrok_twisted.control.api.errors`.
"""

from __future__ import annotations

from typing import Iterator

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.errors import APIError, NoSuchMethod, NotFound, with_article
from ngrok_twisted.records.base import Problem
from ngrok_twisted.schema import PROBLEMS_MAX


class StatusTests(SynchronousTestCase):
    """The HTTP status follows from the code."""

    def test_status(self) -> None:
        """Each family of codes has its status; others are 400."""
        cases = ((200, 403), (222, 404), (226, 429), (804, 502), (215, 400), (None, 400))
        for code, status in cases:
            self.assertEqual(APIError(code, "No.").status, status)

    def test_not_found(self) -> None:
        """What is not there is 404, with a code or without."""
        for error in (NotFound("vault", "vault_x"), NotFound("edge", "e", 7000), NoSuchMethod("/x")):
            self.assertEqual(error.status, 404)


class ProblemsTests(SynchronousTestCase):
    """Problems as one error."""

    def test_codes(self) -> None:
        """Each has its own code, that of its field, or that of its kind; the first one's is the error's."""
        error = APIError.problems(
            [
                Problem("name", "is taken", code=23004),
                Problem("acl[3]", "is wrong"),
                Problem("bogus", "is not a known key", kind="unknown"),
                Problem("size", "is required", kind="missing"),
                Problem("", "is not right"),
            ],
            {"acl": 600, "missing": 1405},
        )
        self.assertEqual(error.code, 23004)
        self.assertEqual(
            error.details,
            {
                "name": "is taken (ERR_NGROK_23004)",
                "acl[3]": "is wrong (ERR_NGROK_600)",
                "bogus": "is not a known key (ERR_NGROK_214)",
                "size": "is required (ERR_NGROK_1405)",
            },
        )
        self.assertEqual(error.message.splitlines()[-1], "is not right")

    def test_many(self) -> None:
        """Of more problems than a person reads the rest is not even looked for."""
        found = 0

        def problems() -> Iterator[Problem]:
            nonlocal found
            while True:
                found += 1
                yield Problem(f"acl[{found}]", "is wrong")

        self.assertEqual(len(APIError.problems(problems(), {}).details), PROBLEMS_MAX)
        self.assertEqual(found, PROBLEMS_MAX)


class ArticleTests(SynchronousTestCase):
    """`with_article`."""

    def test_nouns(self) -> None:
        """The sound of the first letter counts."""
        for said in ("an API key", "an HTTPS edge", "a TLS certificate", "an endpoint", "a vault", "an http backend"):
            self.assertEqual(with_article(said.partition(" ")[2]), said)
