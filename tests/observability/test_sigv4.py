"""
Tests for `ngrok_twisted.observability.sigv4`.

The signatures are those of Amazon's public test suite for Signature Version 4 (``post-vanilla``,
``post-x-www-form-urlencoded``, ``post-header-key-sort``); the one with a session's token is botocore's.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.observability.sigv4 import AWSKey, signed
from tests.observability.targets import NOW

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "tok"


class SignatureTests(SynchronousTestCase):
    """Published vectors."""

    def signature(self, body: bytes = b"", token: str = "", **headers: str) -> str:
        """The end of the header of a request to the suite's host."""
        key = AWSKey(id="AKIDEXAMPLE", secret=SECRET, token=token)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        made = signed(key, "us-east-1", "service", "example.amazonaws.com", given, body, NOW)
        return made["authorization"].removeprefix(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        )

    def test_plain(self) -> None:
        """A request without anything."""
        self.assertEqual(
            self.signature(),
            "SignedHeaders=host;x-amz-date, "
            "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        )

    def test_body(self) -> None:
        """A form."""
        self.assertEqual(
            self.signature(b"Param1=value1", content_type="application/x-www-form-urlencoded"),
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        )

    def test_headers(self) -> None:
        """Headers stand in the order of their names."""
        self.assertEqual(
            self.signature(my_header1="value1"),
            "SignedHeaders=host;my-header1;x-amz-date, "
            "Signature=c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        )

    def test_token(self) -> None:
        """A call with a temporary key, as destinations make them."""
        self.assertEqual(
            self.signature(
                b'{"a":1}',
                TOKEN,
                content_type="application/x-amz-json-1.1",
                x_amz_target="Kinesis_20131202.PutRecords",
            ),
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
            "Signature=ba1591e5d99409fa6d8fcfffb24aaf702d1a7cc3142ffd2bf5e84ccd37a52623",
        )

    def test_sent(self) -> None:
        """Everything that was signed is sent, but for the host, which the client writes; secrets stay here."""
        key = AWSKey(id="AKIDEXAMPLE", secret=SECRET, token=TOKEN)
        made = signed(key, "us-east-1", "service", "example.amazonaws.com", {"a": "b"}, b"", NOW)
        self.assertEqual(made.pop("authorization").count("a;host;x-amz-date;x-amz-security-token"), 1)
        self.assertEqual(made, {"a": "b", "x-amz-date": "20150830T123600Z", "x-amz-security-token": TOKEN})
        self.assertNotIn(SECRET, repr(key))
        self.assertNotIn("tok", repr(key))
