"""
Tests for `ngrok_twisted.webhook.digests`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.webhook.digests import (
    BASE64,
    HEX,
    base64_key,
    decoded,
    is_standard_secret,
    matches,
    standard_key,
    text_key,
)

DIGEST = bytes(range(250, 256)) + b"xy"


class MatchesTests(SynchronousTestCase):
    """Digests and what is said of them."""

    def test_hexadecimal(self) -> None:
        """Hexadecimal digits may be of either case, and must be all there."""
        self.assertTrue(matches(HEX, DIGEST, [b"fafbfcfdfeff7879"]))
        self.assertTrue(matches(HEX, DIGEST, [b"x", b"FAFBFCFDfeff7879", b""]))
        for wrong in (b"", b"fafbfcfdfeff787", b"fafbfcfdfeff78790", b" fafbfcfdfeff7879", b"fafbfcfdfeff7878"):
            self.assertFalse(matches(HEX, DIGEST, [wrong]))
        self.assertFalse(matches(HEX, DIGEST, []))

    def test_base64(self) -> None:
        """The padding of base64 may be left out; its case counts, and so do its last bits."""
        said = b64encode(DIGEST)
        self.assertTrue(said.endswith(b"="))
        for right in (said, said.rstrip(b"=")):
            self.assertTrue(matches(BASE64, DIGEST, [right]))
        last = bytes([said.rstrip(b"=")[-1] + 1])
        for wrong in (said.swapcase(), said[:-2], said.rstrip(b"=")[:-1] + last, b"=" + said):
            self.assertFalse(matches(BASE64, DIGEST, [wrong]))

    @given(st.binary(max_size=40), st.binary(max_size=60))
    def test_anything(self, digest: bytes, text: bytes) -> None:
        """Any bytes can be compared."""
        for encoding in (HEX, BASE64):
            self.assertTrue(matches(encoding, digest, [encoding.encode(digest)]))
            matches(encoding, digest, [text])


class DecodedTests(SynchronousTestCase):
    """Base64 that is read."""

    @given(st.binary(max_size=40))
    def test_right(self, data: bytes) -> None:
        """What was encoded comes back, with padding or without."""
        self.assertEqual(decoded(b64encode(data)), data)
        self.assertEqual(decoded(b64encode(data).rstrip(b"=")), data)

    @given(st.binary(max_size=20))
    def test_one_spelling(self, text: bytes) -> None:
        """Nothing else than the one spelling of some bytes is taken for them."""
        found = decoded(text)
        if found is not None:
            self.assertEqual(b64encode(found).rstrip(b"="), text.rstrip(b"="))
            self.assertEqual(b64decode(b64encode(found)), found)

    def test_wrong(self) -> None:
        """Other alphabets, spaces, lost digits and stray bits are refused."""
        for text in (b"a", b"YQ=a", b"_-==", b"Y Q=", b"YR==", b"YQ===", b"\xff\xff"):
            self.assertIsNone(decoded(text), text)


class KeyTests(SynchronousTestCase):
    """From secrets to keys."""

    def test_text(self) -> None:
        """A text is its bytes."""
        self.assertEqual(text_key("Zoë"), b"Zo\xc3\xab")

    def test_base64(self) -> None:
        """One in base64 is what it stands for, and there must be something."""
        self.assertEqual(base64_key(" aGk= \n"), b"hi")
        for wrong in ("", "=", "!", "whsec_aGk="):
            self.assertRaises(Refused, base64_key, wrong)

    def test_standard(self) -> None:
        """One of Standard Webhooks may be written without its prefix."""
        for text in ("whsec_aGk=", "aGk", "whsec_aGk"):
            self.assertEqual(standard_key(text), b"hi")
        for wrong in ("", "whsec_", "whsec_!", "whpk_aGk="):
            self.assertRaises(Refused, standard_key, wrong)
        self.assertTrue(is_standard_secret("whsec_x"))
        self.assertFalse(is_standard_secret("xwhsec_"))
