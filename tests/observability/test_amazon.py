"""
Tests for `ngrok_twisted.observability.amazon`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.amazon import Amazon, AmazonError
from ngrok_twisted.observability.destination import DestinationBusy, DestinationRefused
from ngrok_twisted.records.event_destination import AWSAuth, AWSCredentials, AWSRole
from tests.observability.targets import NOW, FakePoster, context

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/events"
CREDS = AWSAuth(creds=AWSCredentials(aws_access_key_id="AKIA", aws_secret_access_key="hush"))
ROLE = AWSAuth(role=AWSRole(role_arn="arn:aws:iam::123456789012:role/events"))
OWN = {"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "own", "AWS_SESSION_TOKEN": "session"}

ASSUMED = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>assumed</SecretAccessKey><SessionToken>role-token</SessionToken>
<Expiration>2015-08-30T13:36:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""

DENIED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>"""


class AmazonTests(SynchronousTestCase):
    """Calls, as a poster that sends nothing sees them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)

    def amazon(self, *answers: Any, auth: AWSAuth = CREDS, arn: str = ARN, **environment: str) -> Amazon:
        """An API that gives these answers."""
        self.poster = FakePoster(*answers)
        return Amazon(auth, arn, "Kinesis_20131202", "KINESIS", context(self.poster, self.clock, **environment))

    def call(self, amazon: Amazon) -> Deferred[dict[str, Any]]:
        """A call."""
        return Deferred.fromCoroutine(amazon.call("PutRecords", {"a": 1}))

    def test_call(self) -> None:
        """A call goes to the region in the ARN, signed for it."""
        self.assertEqual(self.successResultOf(self.call(self.amazon((200, {"b": 2})))), {"b": 2})
        ((url, headers, body),) = self.poster.posts
        self.assertEqual((url, body), ("https://kinesis.eu-west-1.amazonaws.com/", b'{"a":1}'))
        self.assertEqual(headers["x-amz-target"], "Kinesis_20131202.PutRecords")
        self.assertIn("Credential=AKIA/20150830/eu-west-1/kinesis/aws4_request", headers["authorization"])

    def test_elsewhere(self) -> None:
        """The partition and the environment decide where it is."""
        china = self.amazon(arn=ARN.replace("aws:", "aws-cn:").replace("eu-west-1", "cn-north-1"))
        self.successResultOf(self.call(china))
        self.assertEqual(self.poster.posts[0][0], "https://kinesis.cn-north-1.amazonaws.com.cn/")
        self.successResultOf(self.call(self.amazon(AWS_ENDPOINT_URL="http://127.0.0.1:5000")))
        self.assertEqual(self.poster.posts[0][0], "http://127.0.0.1:5000/")
        both = {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000", "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:5001/"}
        self.successResultOf(self.call(self.amazon(**both)))
        self.assertEqual(self.poster.posts[0][0], "http://127.0.0.1:5001/")

    def test_refused(self) -> None:
        """An error has Amazon's name for it and its first words, without the key."""
        told = {"__type": "com.amazonaws.kinesis#ResourceNotFoundException", "message": "no stream for hush\nmore"}
        error = self.failureResultOf(self.call(self.amazon((400, told))), AmazonError).value
        self.assertEqual(error.name, "ResourceNotFoundException")
        self.assertEqual(error.sentence, "it answered 400: ResourceNotFoundException: no stream for …")

    def test_passing(self) -> None:
        """What passes by itself is no refusal, though its status is 400."""
        for status, name in ((400, "ThrottlingException"), (400, "LimitExceededException"), (500, "InternalFailure")):
            answer = (status, {"__type": name, "Message": "slow down"})
            busy = self.failureResultOf(self.call(self.amazon(answer)), DestinationBusy).value
            self.assertEqual(busy.sentence, f"it answered {status}: {name}: slow down")
        self.failureResultOf(self.call(self.amazon((503, b"<html>"))), DestinationBusy)

    def test_role(self) -> None:
        """A role is assumed with the server's own key and the account's id; its key serves until shortly before its end."""
        amazon = self.amazon((200, ASSUMED), (200, {}), (200, {}), (200, ASSUMED), (200, {}), auth=ROLE, **OWN)
        self.successResultOf(self.call(amazon))
        self.successResultOf(self.call(amazon))
        (url, headers, body), (_, used, _), _ = self.poster.posts
        self.assertEqual(url, "https://sts.eu-west-1.amazonaws.com/")
        self.assertIn("Credential=AKIAOWN/20150830/eu-west-1/sts/aws4_request", headers["authorization"])
        self.assertEqual(headers["x-amz-security-token"], "session")
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.assertEqual((form["Action"], form["RoleArn"]), ("AssumeRole", "arn:aws:iam::123456789012:role/events"))
        self.assertEqual(form["ExternalId"], "ac_1")
        self.assertIn("Credential=ASIA/", used["authorization"])
        self.assertEqual(used["x-amz-security-token"], "role-token")
        self.clock.advance(56 * 60)
        self.successResultOf(self.call(amazon))
        self.assertEqual(len(self.poster.posts), 5)

    def test_role_ended_early(self) -> None:
        """A key that Amazon no longer takes is replaced at the next try."""
        expired = (400, {"__type": "ExpiredTokenException", "message": "too late"})
        amazon = self.amazon((200, ASSUMED), expired, (200, ASSUMED), (200, {}), auth=ROLE, **OWN)
        self.failureResultOf(self.call(amazon), DestinationBusy)
        self.successResultOf(self.call(amazon))

    def test_role_denied(self) -> None:
        """A role that does not let the server in is told, with what its trust policy needs."""
        error = self.failureResultOf(self.call(self.amazon((403, DENIED), auth=ROLE, **OWN)), AmazonError).value
        self.assertIn("AccessDenied: the role cannot be assumed: not authorized", error.sentence)
        self.assertIn("external id ac_1", error.sentence)

    def test_role_without_sense(self) -> None:
        """An answer without a key is tried again."""
        for answer in ((200, b"<html>"), (200, b"<a/>"), (502, b"")):
            self.failureResultOf(self.call(self.amazon(answer, auth=ROLE, **OWN)), DestinationBusy)

    def test_no_key(self) -> None:
        """Without a key of its own the server cannot assume roles, and says so at once."""
        with self.assertRaises(DestinationRefused) as raised:
            self.amazon(auth=ROLE, AWS_ACCESS_KEY_ID="AKIAOWN")
        self.assertIn("AWS_SECRET_ACCESS_KEY", raised.exception.sentence)
