"""
Tests for `ngrok_twisted.policy.header_edits`.
"""

from __future__ import annotations

from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.header_edits import HeaderEdits
from ngrok_twisted.policy.header_rules import HeaderMap
from tests.policy.asked import facts


def edits(remove: tuple[str, ...] = (), **add: str) -> HeaderEdits:
    """Made from a config."""
    made = HeaderMap(add=add, remove=remove)
    return HeaderEdits(made.added(), made.remove)


class HeaderEditsTests(SynchronousTestCase):
    """Headers to add and to remove."""

    def test_fixed(self) -> None:
        """What depends on nothing is worked out once."""
        made = edits(("X-B",), A="1", B="$${é}")
        self.assertEqual(made.removed, {b"x-b"})
        self.assertEqual(made.fixed, ((b"a", b"1"), (b"b", "${é}".encode())))
        self.assertEqual(made.fields(facts()), list(made.fixed or ()))

    def test_templates(self) -> None:
        """What depends on the request is worked out for each."""
        made = edits(a="1", b="<${req.url.path}>")
        self.assertIsNone(made.fixed)
        self.assertEqual(made.fields(facts(b"/x%0d%0ay")), [(b"a", b"1"), (b"b", b"</x  y>")])

    def test_warnings(self) -> None:
        """The operator reads which names mean nothing, or nothing here."""
        seen: list[str] = []

        def note(event: dict[str, object]) -> None:
            if event["log_level"] is LogLevel.warn:
                seen.append(str(event["name"]))

        globalLogPublisher.addObserver(note)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, note)  # type: ignore[arg-type]
        made = edits(a="${nonsense} ${req.method.more} ${.req.method} ${res.status_code} ${compression.algorithm}")
        made.warn("request_headers", "ac_1", has_response=False)
        self.assertEqual(seen, ["nonsense", "req.method.more", "res.status_code", "compression.algorithm"])
        seen.clear()
        made.warn("response_headers", "ac_1", has_response=True)
        self.assertEqual(seen, ["nonsense", "req.method.more"])
