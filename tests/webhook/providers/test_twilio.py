"""
Tests for `ngrok_twisted.webhook.providers.twilio`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import FORM, TEXT, URL, b64, mac
from tests.webhook.vectors import Vector, delivery, vectors, verdict


class TwilioTests(SynchronousTestCase):
    """URLs, forms and bodies."""

    def setUp(self) -> None:
        self.post, self.get, self.newer, self.json, self.port = vectors("twilio")

    def judge(self, vector: Vector, **changes: Any) -> Any:
        """The verdict on a changed delivery."""
        return verdict("twilio", vector.secret, vector.changed(**changes).delivery)

    def test_url(self) -> None:
        """The URL counts, but for its port and scheme."""
        for vector in (self.post, self.get, self.port):
            host = vector.delivery.authority
            for authority in (host, host + b":443", host + b":8443"):
                for scheme in (b"https", b"http"):
                    self.assertIsNone(self.judge(vector, authority=authority, scheme=scheme))
            for target in (b"/myapp.php", vector.delivery.target + b"&x=y"):
                self.assertIsInstance(self.judge(vector, target=target), NotGenuine)

    def test_form(self) -> None:
        """The order of its fields does not count; a field more or less does."""
        body = self.post.delivery.body
        self.assertIsNone(self.judge(self.post, body=b"&".join(reversed(body.split(b"&")))))
        for changed in (body + b"&x=y", body.rpartition(b"&")[0], body + b"&Digits=9"):
            self.assertIsInstance(self.judge(self.post, body=changed), NotGenuine)

    def test_repeated(self) -> None:
        """A field that is there twice was signed once, as Twilio's libraries have it, or twice."""
        for text in (b"a1a2b3", b"a1a1a2b3"):
            said = {**FORM, "X-Twilio-Signature": b64(mac(TEXT, URL.encode() + text, "sha1"))}
            self.assertIsNone(verdict("twilio", TEXT, delivery(URL, said, b"a=1&b=3&a=2&a=1")))

    def test_body(self) -> None:
        """Another body than a form must be the one that the URL has the digest of, and there must be a digest."""
        self.assertIsInstance(self.judge(self.json, body=b"{}"), NotGenuine)
        said = {"X-Twilio-Signature": b64(mac(TEXT, URL.encode(), "sha1"))}
        self.assertIsNone(verdict("twilio", TEXT, delivery(URL, said)))
        for type in ({}, {"Content-Type": "application/json"}):
            found = verdict("twilio", TEXT, delivery(URL, {**said, **type}, b"{}"))
            self.assertIsInstance(found, NotGenuine)
        twice = URL + f"&bodySHA256={'0' * 64}&bodySHA256={'1' * 64}"
        said = {"X-Twilio-Signature": b64(mac(TEXT, twice.encode(), "sha1"))}
        self.assertIsInstance(verdict("twilio", TEXT, delivery(twice, said, b"{}")), NotGenuine)

    def test_algorithm(self) -> None:
        """The algorithm is the one that the header names; one that is not known is none."""
        fields = self.newer.delivery.fields
        self.assertIsInstance(self.judge(self.newer, fields=fields[:2]), NotGenuine)
        for said in (b"key=x,algorithm=HMAC_MD5", b"key=x,algorithm="):
            changed = (*fields[:2], (fields[2][0], said))
            self.assertEqual(self.judge(self.newer, fields=changed).word, "missing")
        old = replace(self.post.delivery, fields=(*self.post.delivery.fields, (fields[2][0], b"key=x")))
        self.assertIsNone(verdict("twilio", self.post.secret, old))

    def test_many_fields(self) -> None:
        """A form of very many fields is not even sorted."""
        self.assertEqual(self.judge(self.post, body=b"&".join([b"a"] * 5000)).word, "shape")
