"""
The management API of the live product, with curl.
"""

from __future__ import annotations

import json
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, full_name, keep_open
from tests.functional.edge import DOMAIN

API_KEY = "an-operator-made-this-key-for-curl"

# What curl writes behind the body, so that both come back in one text.
_STATUS = "\n%{http_code}"


class APITests(EdgeTestCase):
    """On https under its own name, and on the plain listener."""

    config = {
        "api_keys": [{"name": "curl", "token": API_KEY}],
        "reserved_domains": [{"domain": f"*.{DOMAIN}"}],
    }

    def call(self, verb: str, url: str, body: Any = None, key: str | None = API_KEY) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        words = ["--request", verb, "--header", "ngrok-version: 2", "--write-out", _STATUS]
        if key is not None:
            words += ["--header", f"authorization: Bearer {key}"]
        if body is not None:
            words += ["--header", "content-type: application/json", "--data", json.dumps(body)]
        text, _, status = curl(self.edge, *words, url).rpartition("\n")
        return int(status), json.loads(text) if text else None

    @property
    def secure(self) -> str:
        """The API on https."""
        return f"https://api.{DOMAIN}:{self.edge.https}"

    @property
    def plain(self) -> str:
        """The API on the plain listener."""
        return f"http://127.0.0.1:{self.edge.api}"

    def test_life(self) -> None:
        """A record is made, listed, changed and deleted; its URL is that of the listener it was asked for at."""
        for base in (self.secure, self.plain):
            status, made = self.call("POST", f"{base}/vaults", {"name": "curl"})
            self.assertEqual((status, made["uri"]), (201, f"{base}/vaults/{made['id']}"))
            self.assertIn(made["id"], [vault["id"] for vault in self.call("GET", f"{base}/vaults")[1]["vaults"]])
            self.assertEqual(self.call("PATCH", made["uri"], {"metadata": "m"})[1]["metadata"], "m")
            self.assertEqual(self.call("DELETE", made["uri"]), (204, None))
            self.assertEqual(self.call("GET", made["uri"])[0], 404)

    def test_refused(self) -> None:
        """Without a key, or with a wrong one, nobody gets in."""
        for base in (self.secure, self.plain):
            for key, code in ((None, 200), ("wrong", 202)):
                status, error = self.call("GET", f"{base}/vaults", key=key)
                self.assertEqual((status, error["error_code"]), (403, f"ERR_NGROK_{code}"))

    def test_redirect(self) -> None:
        """On the http listener the name of the API leads to https."""
        url = f"http://api.{DOMAIN}:{self.edge.http}/vaults"
        answer = curl(self.edge, "--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}", url)
        self.assertEqual(answer, f"307 {self.secure}/vaults")

    def test_name_is_taken(self) -> None:
        """An agent gets neither the name of the API, nor its traffic by a wildcard over it."""
        agent = self.ssh(f"{full_name('api')}:443:localhost:1", command="http")
        self.assertNotEqual(agent.exit_code(), 0)
        web = self.web("wild")
        self.publish(web, f"*.{DOMAIN}")
        self.assertEqual(self.get(self.edge.url(self.new_name())).headers.get("x-service"), "wild")
        self.assertEqual(self.call("GET", f"{self.secure}/vaults")[0], 200)

    def test_keep_alive(self) -> None:
        """One connection serves many requests, errors among them."""
        connection = keep_open(self.edge, full_name("api"))
        self.addCleanup(connection.close)
        headers = {"Authorization": f"Bearer {API_KEY}", "ngrok-version": "2"}
        for path, expected in (("/vaults", 200), ("/nonsuch", 404), ("/vaults?limit=0", 400), ("/vaults", 200)) * 5:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, expected)

    def test_log(self) -> None:
        """A call is one line of the log, without the key."""
        url = f"{self.secure}/vaults?limit=97"
        self.call("GET", url)
        lines = [line for line in self.edge.log().splitlines() if " GET /vaults 200 " in line]
        self.assertTrue(lines)
        self.assertNotIn("limit=97", "".join(lines))
        self.assertNotIn(API_KEY, self.edge.log())
        access = self.edge.state / "access.log"
        self.eventually(
            lambda: access.exists() and "target=/vaults?limit=97" in access.read_text(), "line of the access log"
        )
        self.assertNotIn(API_KEY, access.read_text())
