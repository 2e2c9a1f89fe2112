"""
The page of an endpoint that is offline, in the three forms that visitors may prefer.
"""

from __future__ import annotations

import json

from tests.functional.case import EdgeTestCase

URL = "https://nobody-here.edge.localhost/some/path"


class OfflinePageTests(EdgeTestCase):
    """``ERR_NGROK_3200``."""

    def test_plain(self) -> None:
        """A program gets plain text."""
        answer = self.get(URL)
        self.assertEqual((answer.status, answer.headers["ngrok-error-code"]), (404, "ERR_NGROK_3200"))
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
        self.assertIn("ERR_NGROK_3200", answer.text)

    def test_html(self) -> None:
        """A browser gets a page."""
        answer = self.get(URL, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        self.assertEqual((answer.status, answer.headers["ngrok-error-code"]), (404, "ERR_NGROK_3200"))
        self.assertTrue(answer.headers["content-type"].startswith("text/html"))
        self.assertIn("ERR_NGROK_3200", answer.text)
        self.assertIn("<", answer.text)

    def test_json(self) -> None:
        """An API client gets JSON."""
        answer = self.get(URL, headers={"Accept": "application/json"})
        self.assertTrue(answer.headers["content-type"].startswith("application/json"), answer)
        self.assertIn("ERR_NGROK_3200", json.dumps(json.loads(answer.body)))

    def test_nothing_is_echoed(self) -> None:
        """What the visitor sent is not put into the page unescaped."""
        answer = self.get(URL + "?<script>alert(1)</script>", headers={"Accept": "text/html"})
        self.assertNotIn("<script>alert", answer.text)

    def test_head(self) -> None:
        """HEAD gets no body."""
        answer = self.get(URL, method="HEAD")
        self.assertEqual((answer.status, answer.body), (404, b""))

    def test_with_body(self) -> None:
        """A request with a body is answered, too, and the connection stays in order."""
        self.assertEqual(self.get(URL, method="POST", body=b"x" * 200000).status, 404)
