"""
Tests for `ngrok_twisted.control.api.resources.abuse_reports`.
"""

from ngrok_twisted.records.abuse_report import AbuseReport
from tests.control.api.harness import OTHER, APITestCase, principal


class AbuseReportTests(APITestCase):
    """Reports are kept, and nothing else."""

    def test_life(self) -> None:
        """A report comes back as it was made, with the names that it is about, each once."""
        urls = ["https://A.example.com/x", "http://a.example.com", "tcp://b.example.com:20001"]
        made = self.ok("POST", "/abuse_reports", {"urls": urls, "metadata": ""})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/abuse_reports/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "urls": urls,
                "metadata": "",
                "status": "PENDING",
                "hostnames": [
                    {"hostname": "a.example.com", "status": "PENDING"},
                    {"hostname": "b.example.com", "status": "PENDING"},
                ],
            },
        )
        self.assertEqual(self.ok("GET", f"/abuse_reports/{made['id']}"), made)
        self.assertEqual(len(list(self.api.control.records.all(AbuseReport))), 1)

    def test_no_more(self) -> None:
        """Reports are not listed, changed or deleted."""
        path = "/abuse_reports/abrp_" + "0" * 27
        for verb, where in (("GET", "/abuse_reports"), ("PATCH", path), ("DELETE", path)):
            self.assertIsNone(self.api.routes.find(verb, where))

    def test_bad_urls(self) -> None:
        """Without URLs, with too many, and with one that has no name or no end a report is refused."""
        self.assertEqual(list(self.refused("POST", "/abuse_reports", {"urls": []}).details), ["urls"])
        many = ["https://a.example.com"] * 101
        self.assertEqual(list(self.refused("POST", "/abuse_reports", {"urls": many}).details), ["urls"])
        bad = ["a.example.com", "https://[x", "https://a.example.com/" + "x" * 2048]
        error = self.refused("POST", "/abuse_reports", {"urls": ["https://fine.example.com", *bad]})
        self.assertEqual(list(error.details), ["urls[1]", "urls[2]", "urls[3]"])

    def test_other_account(self) -> None:
        """Reports of another account are not found."""
        made = self.ok("POST", "/abuse_reports", {"urls": ["https://a.example.com"]})
        self.api.caller = principal(OTHER)
        self.assertEqual(self.refused("GET", f"/abuse_reports/{made['id']}").status, 404)
