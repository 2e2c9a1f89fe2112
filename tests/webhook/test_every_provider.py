"""
What holds for all providers of webhooks alike.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.delivery import Delivery, NotGenuine
from ngrok_twisted.webhook.interfaces import IWebhookVerifier
from ngrok_twisted.webhook.verifier import SECRET_MAX, SECRET_MISSING, SECRET_TOO_LONG, providers
from tests.webhook.signers import BODY, NOW, SIGNERS
from tests.webhook.vectors import context, judged, vectors, verdict

#: ngrok's list (documentation of the action "verify-webhook", and the specification of Traffic Policy, section 6.25).
NAMES = """
    aftership airship alchemy autodesk bitbucket bolt box brex buildkite calendly castle chargify circleci clearbit clerk
    coinbase contentful docusign dropbox facebook_graph_api facebook_messenger frameio github gitlab go1 graphcms heroku
    hostedhooks hubspot instagram intercom jira launch_darkly linear mailchimp mailgun microsoft_teams modern_treasury
    mongodb mux orb orbit pagerduty pinwheel plivo pusher sendgrid sentry shopify signal_sciences slack sns sonatype square
    stripe svix terraform tiktok trendmicro_conformity twilio twitter typeform vmware webex whatsapp worldline xero zendesk
    zoom
""".split()

ALIASES = {"signalsciences": "signal_sciences", "sonatype_nexus": "sonatype", "vmware_workspace": "vmware"}

PAGE = Path(__file__).resolve().parents[2] / "docs" / "modules" / "webhook_verification.md"


def flips(data: bytes) -> Any:
    """Every text that differs from this one in one bit."""
    for place in range(len(data)):
        for bit in range(8):
            yield data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def spelled_alike(one: bytes, other: bytes) -> bool:
    """Whether two forms differ in the case of escapes only, which says the same."""
    same = parse_qsl(one.decode("latin-1")) == parse_qsl(other.decode("latin-1")) != []
    return same and one.lower() == other.lower()


class EveryProviderTests(SynchronousTestCase):
    """One walk over all of them."""

    def assert_refused(self, found: Any, what: Any) -> None:
        """It was."""
        self.assertIsInstance(found, NotGenuine, repr(what))

    def test_names(self) -> None:
        """Every provider that ngrok knows is there, under each of its names, and no other."""
        self.assertEqual(sorted(providers()), sorted([*NAMES, *ALIASES]))
        for alias, name in ALIASES.items():
            self.assertIs(providers()[alias], providers()[name])
        for one in providers().values():
            verifyObject(IWebhookVerifier, one)

    def test_tested(self) -> None:
        """Every provider has a signer here, but for SNS, whose signatures are among the vectors."""
        self.assertEqual(sorted([*SIGNERS, "sns"]), sorted(NAMES))

    def test_documented(self) -> None:
        """The page of the module has a row for each, with what is configured as its secret."""
        table = PAGE.read_text("utf-8").partition("## Providers")[2].partition("\n## ")[0]
        rows = dict(re.findall(r"^\| `(\w+)`[^|]*\| ([^|]*) \|", table.partition("---")[2], re.MULTILINE))
        self.assertEqual({name: one.secret for name, one in providers().items() if name in NAMES}, rows)

    def test_published(self) -> None:
        """What vendors' documentation and libraries sign is genuine."""
        for vector in vectors():
            self.assertIsNone(verdict(vector.provider, vector.secret, vector.delivery), vector.source)

    def test_published_but_changed(self) -> None:
        """And not any more when its body has one bit more or less."""
        for vector in vectors(*(set(NAMES) - {"sns"})):  # some of whose members are not signed: see test_sns
            for body in flips(vector.delivery.body):
                if spelled_alike(body, vector.delivery.body):
                    continue
                changed = vector.changed(body=body)
                self.assert_refused(verdict(vector.provider, vector.secret, changed.delivery), (vector.source, body))

    def test_genuine(self) -> None:
        """What a provider signs passes."""
        for name, signer in SIGNERS.items():
            self.assertIsNone(verdict(name, signer.secret, signer.delivery()), name)

    def test_other_bodies(self) -> None:
        """Whatever is in the body; an empty one, too."""
        for name, signer in SIGNERS.items():
            if signer.body == BODY and signer.write is None and name != "twitter":
                for body in (b"", '{"x": "\\n\\"\u2028</a>"}'.encode()):
                    self.assertIsNone(verdict(name, signer.secret, signer.delivery(body=body)), name)

    def test_other_body(self) -> None:
        """A body that differs in one bit is refused."""
        for name, signer in SIGNERS.items():
            sent = signer.delivery()
            for body in flips(sent.body) if signer.covers_body else ():
                if spelled_alike(body, sent.body):
                    continue
                self.assert_refused(verdict(name, signer.secret, replace(sent, body=body)), (name, body))

    def test_other_header(self) -> None:
        """A signature, and whatever else is in the header, that differs in one bit is refused; case is none in places."""
        for name, signer in SIGNERS.items():
            sent = signer.delivery()
            for place, (field, value) in enumerate(sent.fields):
                for changed in flips(value):
                    if changed.lower() == value.lower():
                        continue
                    fields = (*sent.fields[:place], (field, changed), *sent.fields[place + 1 :])
                    found = verdict(name, signer.secret, replace(sent, fields=fields))
                    self.assert_refused(found, (name, field, changed))

    def test_other_secret(self) -> None:
        """What was signed with another secret is refused, if it differs in one bit only."""
        for name, signer in SIGNERS.items():
            # What SendGrid signs with is not the secret: its public key has other spellings. See test_sendgrid.
            for secret in flips(signer.secret.encode()) if name != "sendgrid" else ():
                try:
                    providers()[name].check_secret(secret.decode())
                except (Refused, UnicodeDecodeError):
                    continue
                self.assert_refused(verdict(name, secret.decode(), signer.delivery()), (name, secret))

    def test_no_header(self) -> None:
        """Without its header fields a delivery is refused, and as far as can be before somebody has to send the body."""
        for name, signer in SIGNERS.items():
            if not signer.delivery().fields:
                continue
            bare = replace(signer.delivery(), fields=())
            self.assert_refused(verdict(name, signer.secret, bare), name)
            verifier = providers()[name](signer.secret, context(NOW))
            self.assertRaises(NotGenuine, verifier.look, replace(bare, body=b""))

    def test_each_field_counts(self) -> None:
        """If one of the fields that are signed is not there, or is there twice, nothing passes."""
        for name, signer in SIGNERS.items():
            sent = signer.delivery()
            for place, field in enumerate(sent.fields):
                without = replace(sent, fields=sent.fields[:place] + sent.fields[place + 1 :])
                self.assert_refused(verdict(name, signer.secret, without), (name, field))

    def test_time(self) -> None:
        """A delivery is good as long as its provider says, and as long before; where the time is not signed, always."""
        for name, signer in SIGNERS.items():
            for direction in (1, -1):
                near, far = (NOW + direction * ((signer.tolerance or 10**8) + more) for more in (0, 1))
                self.assertIsNone(verdict(name, signer.secret, signer.delivery(now=near)), name)
                found = verdict(name, signer.secret, signer.delivery(now=far))
                if signer.tolerance is None:
                    self.assertIsNone(found, name)
                else:
                    self.assert_refused(found, name)
                    self.assertEqual(found.word, "stale", name)

    def test_secrets(self) -> None:
        """All but SNS need a secret; none takes one without end; and what passes the check can be used."""
        for name in NAMES:
            one = providers()[name]
            if name != "sns":
                self.assertEqual(self.assertRaises(Refused, one.check_secret, "").code, SECRET_MISSING)
            long = "x" * (SECRET_MAX + 1)
            self.assertEqual(self.assertRaises(Refused, one.check_secret, long).code, SECRET_TOO_LONG)
            signer = SIGNERS.get(name)
            one.check_secret(signer.secret if signer else "")
            self.assertNotIn(TEXT_OF_TESTS, repr(one(signer.secret if signer else "", context())))


TEXT_OF_TESTS = "not so secret"

_names = st.sampled_from(sorted({name for signer in SIGNERS.values() for name, _ in signer.delivery().fields}))
_values = st.one_of(
    st.binary(max_size=80), st.sampled_from([value for s in SIGNERS.values() for _, value in s.delivery().fields])
)
_bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"{}", b"[]", b"[" * 100_000, b'{"signature":{}}', b'{"signature":{"timestamp":1}}', b"1" * 5000]),
    st.sampled_from([vector.delivery.body for vector in vectors()]),
)
_targets = st.one_of(
    st.just(b"/"),
    st.binary(max_size=60).map(lambda data: b"/" + data),
    st.sampled_from([b"/?crc_token=", b"/?hub.mode=subscribe"]),
)


class AnythingTests(SynchronousTestCase):
    """Whatever arrives is judged."""

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(NAMES),
        st.lists(st.tuples(_names, _values), max_size=8),
        _bodies,
        _targets,
        st.sampled_from([b"GET", b"POST", b"PUT"]),
        st.binary(max_size=20),
    )
    def test_verdict(
        self, name: str, fields: list[tuple[bytes, bytes]], body: bytes, target: bytes, method: bytes, host: bytes
    ) -> None:
        """Any header and any body get a verdict, and never an exception."""
        secret = SIGNERS[name].secret if name in SIGNERS else ""
        arrived = Delivery(
            method=method, target=target, authority=host, scheme=b"https", fields=fields, body=body, now=NOW
        )
        judged(providers()[name](secret, context(NOW)), arrived)

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(NAMES), st.text(max_size=60))
    def test_secret(self, name: str, secret: str) -> None:
        """Any text is a secret, or refused with a number of ngrok's; what is one can be used."""
        one = providers()[name]
        try:
            one.check_secret(secret)
        except Refused as refused:
            self.assertTrue(refused.code)
            self.assertTrue(refused.message)
        else:
            one(secret, context())
