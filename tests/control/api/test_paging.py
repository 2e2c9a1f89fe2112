"""
Tests for `ngrok_twisted.control.api.paging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable
from urllib.parse import parse_qs, urlsplit

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import Query
from ngrok_twisted.control.api.paging import SLICE, page
from tests.control.api.harness import BASE_URL, APIHarness, principal


@dataclass(frozen=True)
class Item:
    """Something with an id."""

    id: str


def items(*numbers: int) -> list[Item]:
    """Items whose ids sort by their numbers, with different prefixes."""
    return [Item(f"{'ab'[number % 2]}_{number:027d}") for number in numbers]


class PageTests(SynchronousTestCase):
    """`page`."""

    def begin(self, found: Iterable[Item], pause: Any = None, **query: Any) -> Deferred[dict[str, Any]]:
        """A page that is being made."""
        parts = APIHarness(**({} if pause is None else {"pause": pause})).parts
        call = Call(parts=parts, principal=principal(), base_url=BASE_URL, query=Query(**query))
        shown = lambda item: {"id": item.id}
        return Deferred.fromCoroutine(page(call, "/things", "things", found, shown, ("id",)))

    def page(self, found: Iterable[Item], **query: Any) -> tuple[list[int], dict[str, list[str]]]:
        """The numbers of the items on a page, and the query of the URL of the next."""
        made = self.successResultOf(self.begin(found, **query))
        self.assertEqual(made["uri"], f"{BASE_URL}/things")
        url = made["next_page_uri"] or ""
        self.assertTrue(url.startswith(f"{BASE_URL}/things?") or not url, url)
        return [int(item["id"].partition("_")[2]) for item in made["things"]], parse_qs(urlsplit(url).query)

    def test_nothing(self) -> None:
        """A list of nothing has one page."""
        self.assertEqual(self.page([]), ([], {}))

    def test_newest_first(self) -> None:
        """The newest item comes first, whatever its prefix and wherever it stands."""
        self.assertEqual(self.page(items(2, 5, 1, 4, 3)), ([5, 4, 3, 2, 1], {}))

    def test_next(self) -> None:
        """The URL of the next page repeats what was asked for; the last page, full or not, has none."""
        found = items(1, 2, 3, 4)
        last = items(3)[0].id
        self.assertEqual(self.page(found, limit=2), ([4, 3], {"before_id": [last], "limit": ["2"]}))
        self.assertEqual(self.page(found, limit=2, before_id=last), ([2, 1], {}))
        self.assertEqual(self.page(found, limit=4), ([4, 3, 2, 1], {}))

    def test_gone(self) -> None:
        """A page may begin behind an item that is not there any more."""
        self.assertEqual(self.page(items(1, 2, 4), before_id=items(3)[0].id), ([2, 1], {}))

    def test_filter(self) -> None:
        """What a filter does not want is not counted, and there is no empty page behind the last wanted one."""
        wanted = items(1, 3)
        filter = f'obj.id == "{wanted[0].id}" || obj.id == "{wanted[1].id}"'
        self.assertEqual(self.page(items(1, 2, 3, 4), filter=filter, limit=2), ([3, 1], {}))
        numbers, more = self.page(items(1, 2, 3, 4), filter=filter, limit=1)
        self.assertEqual((numbers, more["filter"]), ([3], [filter]))
        self.assertEqual(self.page([], filter=filter), ([], {}))

    def test_bad_filter(self) -> None:
        """A filter that cannot be used is refused."""
        self.assertEqual(self.failureResultOf(self.begin([], filter="obj."), APIError).value.code, 250)

    def test_others_are_served(self) -> None:
        """Others are served before a page, and now and then where a filter looks at many items."""
        waiting: list[Deferred[None]] = []

        def pause() -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1]

        found = items(*range(SLICE * 3))
        for query, pauses, count in (({}, 1, 100), ({"filter": 'obj.id == ""'}, 4, 0)):
            making = self.begin(found, pause, **query)
            for _ in range(pauses):
                self.assertNoResult(making)
                waiting.pop().callback(None)
            self.assertEqual(len(self.successResultOf(making)["things"]), count)

    def test_changes_meanwhile(self) -> None:
        """What comes and goes while others are served does not disturb a page."""
        waiting: Deferred[None] = Deferred()
        online = {item.id: item for item in items(1, 2)}
        making = self.begin((item for item in online.values()), lambda: waiting)
        online.clear()
        waiting.callback(None)
        self.assertEqual(len(self.successResultOf(making)["things"]), 2)
