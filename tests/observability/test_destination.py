"""
Tests for `ngrok_twisted.observability.destination`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import kinds
from ngrok_twisted.marks import specs
from ngrok_twisted.observability.destination import (
    KINDS,
    DestinationBusy,
    DestinationRefused,
    clean,
    judge,
    make_destination,
)
from ngrok_twisted.observability.interfaces import IEventDestinationKind
from ngrok_twisted.records.event_destination import AWSAuth, AWSCredentials, Datadog, EventTarget, Kinesis
from tests.observability.targets import FakePoster, context


class KindTests(SynchronousTestCase):
    """Every target that can be configured can be sent to."""

    def test_complete(self) -> None:
        """There is a kind for each field of `EventTarget`, with that field's class."""
        found = kinds.discover(KINDS, IEventDestinationKind)
        fields = {spec.name: spec.hint for spec in specs(EventTarget)}
        self.assertEqual(found.keys(), fields.keys())
        for name, kind in found.items():
            self.assertEqual(fields[name], kind.Config | None)

    def test_chosen(self) -> None:
        """The field that is set chooses the kind."""
        made = make_destination(EventTarget(datadog=Datadog(api_key="k")), context(FakePoster()))
        self.assertEqual(made.name, "datadog")
        with self.assertRaises(DestinationRefused):
            make_destination(EventTarget(), context(FakePoster()))


class JudgeTests(SynchronousTestCase):
    """What statuses mean."""

    def test_taken(self) -> None:
        """Every 2xx is a success."""
        for status in (200, 202, 204):
            judge(status, "")

    def test_passing(self) -> None:
        """A server's own trouble, a timeout and too many requests pass."""
        for status in (408, 429, 500, 503):
            with self.assertRaises(DestinationBusy):
                judge(status, "no")

    def test_refused(self) -> None:
        """Everything else does not, redirects included: a key must not follow them."""
        for status in (301, 307, 400, 401, 403, 404, 413):
            with self.assertRaises(DestinationRefused) as raised:
                judge(status, "no\nmore", code=5132)
            self.assertEqual((raised.exception.sentence, raised.exception.code), (f"it answered {status}: no", 5132))

    def test_secrets(self) -> None:
        """A target's words come back short, printable and without secrets, wherever these stand in its config."""
        creds = AWSCredentials(aws_access_key_id="AKIA", aws_secret_access_key="hush")
        target = Kinesis(auth=AWSAuth(creds=creds))
        self.assertEqual(clean("\n\n the key AKIA hush\x1b[1m\nmore", target), "the key AKIA …?[1m")
        self.assertLess(len(clean("x" * 1000)), 210)


class ContextTests(SynchronousTestCase):
    """Where APIs are."""

    def test_base_url(self) -> None:
        """The first variable that is set counts; a name alone is one of https."""
        made = context(FakePoster(), A="", B="http://b/", C="c.example.com")
        self.assertEqual(made.base_url("https://d", "A", "Z"), "https://d")
        self.assertEqual(made.base_url("https://d", "A", "B", "C"), "http://b")
        self.assertEqual(made.base_url("https://d", "C"), "https://c.example.com")
