"""
Tests for `ngrok_twisted.webhook.signing_certificates`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from ngrok_twisted.webhook.fetching import ANSWER_MAX, FETCH_TIMEOUT
from ngrok_twisted.webhook.signing_certificates import (
    FAILED,
    FETCHES,
    FRESH,
    REMEMBERED,
    SigningCertificates,
    read_key,
)
from tests.webhook.client import Client, Response
from tests.webhook.vectors import CERTIFICATE

NOW = datetime(2026, 11, 22, 10, tzinfo=timezone.utc).timestamp()
HOST = "https://sns.us-west-2.amazonaws.com"
URL = f"{HOST}/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"

_RSA = rsa.generate_private_key(65537, 2048)


def certificate(name: str = "sns.amazonaws.com", key: Any = _RSA, names: tuple[str, ...] = ()) -> bytes:
    """A certificate that is valid for a day around the test's time."""
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(NOW, timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


class FetchTests(SynchronousTestCase):
    """Certificates from Amazon."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.client = Client()
        self.certificates = SigningCertificates(self.client, self.clock)

    def assert_refused(self, waiting: Deferred[Any]) -> None:
        """There is no key."""
        self.failureResultOf(waiting, NotGenuine)

    def test_fetched(self) -> None:
        """It is fetched once for all who wait for it, without following redirects, and then remembered."""
        waiting = [self.certificates.key(URL) for _ in range(3)]
        self.assertEqual(self.client.asked, [(URL, {"allow_redirects": False, "unbuffered": True})])
        self.client.answer(CERTIFICATE)
        keys = [self.successResultOf(one) for one in waiting]
        self.assertEqual({key.key_size for key in keys}, {2048})
        self.assertIs(self.successResultOf(self.certificates.key(URL)), keys[0])
        self.assertEqual(len(self.client.asked), 1)

    def test_refreshed(self) -> None:
        """After a day it is asked for again."""
        self.certificates.key(URL)
        self.client.answer(CERTIFICATE)
        self.clock.advance(FRESH - 1)
        self.successResultOf(self.certificates.key(URL))
        self.clock.advance(1)
        self.assertNoResult(self.certificates.key(URL))
        self.assertEqual(len(self.client.asked), 2)

    def test_elsewhere(self) -> None:
        """Nobody but SNS is asked, whatever a message says."""
        for url in (
            "",
            URL.replace("https", "http"),
            "https://sns.us-west-2.amazonaws.com.example/x.pem",
            "https://example.com/sns.us-west-2.amazonaws.com/x.pem",
            "https://me@sns.us-west-2.amazonaws.com/x.pem",
            "https://sns.us-west-2.amazonaws.com:444/x.pem",
            "https://sns.us-west-2.amazonaws.com@example.com/x.pem",
            "https://sns.us-west-2.amazonaws.com\\@example.com/x.pem",
            "https://s3.us-west-2.amazonaws.com/x.pem",
            "https://sns.evil.us-west-2.amazonaws.com/x.pem",
            f"{HOST}/x.pem?y",
            f"{HOST}/x.pem#y",
            f"{HOST}/x.txt",
            f"{HOST}/x.pem\n",
            f"{HOST}/{'x' * 300}.pem",
        ):
            self.assertRaises(NotGenuine, self.certificates.key, url)
        self.assertEqual(self.client.asked, [])
        self.certificates.key("https://sns.cn-north-1.amazonaws.com.cn/x.pem")
        self.assertEqual(len(self.client.asked), 1)

    def test_failures(self) -> None:
        """Whatever goes wrong, whoever waits is refused; the same is not asked for again for a while."""
        for number, (code, body) in enumerate(
            (
                (404, b""),
                (302, b""),
                (200, b"x"),
                (200, certificate("example.com")),
                (200, b"x" * (ANSWER_MAX + 1)),
            )
        ):
            url = f"{HOST}/{number}.pem"
            waiting = self.certificates.key(url)
            response = self.client.answer(body, code)
            self.assert_refused(waiting)
            self.assertEqual(response.lost, len(body) > ANSWER_MAX)
            self.assertRaises(NotGenuine, self.certificates.key, url)
            self.clock.advance(FAILED)
            self.assertNoResult(self.certificates.key(url))
            self.client.answer(CERTIFICATE)

    def test_connection_fails(self) -> None:
        """So is one who waits for an answer that does not come."""
        waiting = self.certificates.key(URL)
        self.client.waiting.pop().errback(OSError("no way"))
        self.assert_refused(waiting)

    def test_timeout(self) -> None:
        """Nobody waits longer than a few seconds, for the answer or for its body."""
        for begun in (False, True):
            url = f"{HOST}/{begun}.pem"
            waiting = self.certificates.key(url)
            response = Response()
            if begun:
                self.client.waiting.pop().callback(response)
            self.clock.advance(FETCH_TIMEOUT - 0.1)
            self.assertNoResult(waiting)
            self.clock.advance(0.1)
            self.assert_refused(waiting)
            self.assertEqual(response.lost, begun)

    def test_few_at_once(self) -> None:
        """A stranger cannot have the server send any number of requests."""
        waiting = [self.certificates.key(f"{HOST}/{number}.pem") for number in range(FETCHES)]
        self.assertRaises(NotGenuine, self.certificates.key, URL)
        self.assertEqual(len(self.client.asked), FETCHES)
        self.client.answer(CERTIFICATE)
        self.successResultOf(waiting[0])
        self.certificates.key(URL)
        self.assertEqual(len(self.client.asked), FETCHES + 1)

    def test_bounded(self) -> None:
        """Nor remember any number of answers: the oldest is forgotten."""
        for number in range(REMEMBERED + 1):
            self.certificates.key(f"{HOST}/{number}.pem")
            self.client.answer(CERTIFICATE)
        self.successResultOf(self.certificates.key(f"{HOST}/1.pem"))
        self.assertNoResult(self.certificates.key(f"{HOST}/0.pem"))
        self.assertEqual(len(self.certificates._known), REMEMBERED)


class ReadKeyTests(SynchronousTestCase):
    """What is a certificate of SNS."""

    def reason(self, data: bytes, now: float = NOW) -> str:
        """Why not."""
        return str(self.assertRaises(ValueError, read_key, data, now))

    def test_names(self) -> None:
        """It is one for SNS, by its common name or another."""
        for name in ("sns.amazonaws.com", "sns.eu-west-1.amazonaws.com", "sns-cn-north-1.amazonaws.com.cn"):
            read_key(certificate(name), NOW)
        read_key(certificate("x", names=("sns-signing.ap-east-1.amazonaws.com",)), NOW)
        for name in ("example.com", "s3.amazonaws.com", "sns.amazonaws.com.example", "xsns.amazonaws.com"):
            self.assertIn("not one of Amazon SNS", self.reason(certificate(name)))

    def test_validity(self) -> None:
        """It is valid."""
        day = 86400
        read_key(certificate(), NOW + day)
        self.assertIn("not valid now", self.reason(certificate(), NOW + day + 1))
        self.assertIn("not valid now", self.reason(certificate(), NOW - day - 1))

    def test_keys(self) -> None:
        """Its key is RSA, and long enough."""
        self.assertIn("RSA", self.reason(certificate(key=ec.generate_private_key(ec.SECP256R1()))))
        self.assertIn("RSA", self.reason(certificate(key=rsa.generate_private_key(65537, 1024))))

    def test_no_certificate(self) -> None:
        """Anything else is none."""
        for data in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", CERTIFICATE[:500]):
            self.assertEqual(self.reason(data), "it is no certificate")
