"""
Tests for `ngrok_twisted.webhook.providers.contentful`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import NotGenuine
from tests.webhook.signers import NOW, TEXT, mac
from tests.webhook.vectors import delivery, vectors, verdict


class ContentfulTests(SynchronousTestCase):
    """What is signed along."""

    def verdict(self, names: str, text: bytes, **headers: str) -> Any:
        """Of a POST to /hook without a body."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields["x-contentful-signed-headers"] = names
        fields["x-contentful-signature"] = mac(TEXT, text).hex()
        return verdict("contentful", TEXT, delivery(headers=fields, now=NOW))

    def test_list(self) -> None:
        """A list that does not name itself and the timestamp could be anybody's: it is refused."""
        time = f"{NOW}000"
        both = "x-contentful-signed-headers,x-contentful-timestamp"
        text = f"POST\n/hook\nx-contentful-signed-headers:{both};x-contentful-timestamp:{time}\n"
        self.assertIsNone(self.verdict(both, text.encode(), x_contentful_timestamp=time))
        for names in ("x-contentful-timestamp", "x-contentful-signed-headers", "", "," * 500):
            found = self.verdict(names, b"", x_contentful_timestamp=time)
            self.assertIsInstance(found, NotGenuine)

    def test_other_fields(self) -> None:
        """A field that is signed along, and that differs, is noticed; one that is not signed is not."""
        vector = next(vectors("contentful"))
        for name, passes in ((b"X-Contentful-Topic", False), (b"Content-Type", False), (b"X-Other", True)):
            fields = tuple(field for field in vector.delivery.fields if field[0] != name)
            changed = vector.changed(fields=(*fields, (name, b"x")))
            self.assertEqual(verdict("contentful", vector.secret, changed.delivery) is None, passes)

    def test_method_and_path(self) -> None:
        """Method and path are signed along."""
        vector = next(vectors("contentful"))
        for change in ({"method": b"PUT"}, {"target": b"/other?a=1&b=c%20d"}, {"target": b"/hook"}):
            found = verdict("contentful", vector.secret, vector.changed(**change).delivery)
            self.assertIsInstance(found, NotGenuine)
