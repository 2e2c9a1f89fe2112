"""
The API against the document that it serves of itself: schemathesis makes requests of every operation, valid and not, and
compares each answer with what ``/openapi.json`` says.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.functional.api_caller import APICaller, fill
from tests.functional.case import EdgeTestCase
from tests.functional.edge import Edge
from tests.functional.tools import tool

API_KEY = "an-operator-made-this-key-for-tests"

#: Seconds for all phases; fuzzing goes on until they are over.
SECONDS = 90

#: What is not taken as schemathesis would have it:
#:
#: - ngrok's API answers 403 to a call without a key, never 401, and 404 to a verb that a path does not have, never 405. The
#:   first is looked at by ``ignored_auth``, the second by `tests.functional.test_api_attacks`.
#: - ngrok's API answers 400 to what has the right shape but the wrong meaning: a domain that is taken, a name that is not
#:   reserved, an id of nothing. JSON Schema cannot tell, so that 400 is an answer to data of the right shape; any 5xx is not.
CONFIG = f"""
[generation]
database = "none"

[auth.openapi.api_key]
bearer = "{API_KEY}"

[checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404]
missing_required_header.enabled = false
unsupported_method.enabled = false
"""


#: The suite tries the same things each time; other seeds are for trying by hand.
SEED = "20261122"


class SchemathesisTests(EdgeTestCase):
    """All checks but those in `CONFIG`, in all phases."""

    config = {
        "api_keys": [{"name": "schemathesis", "token": API_KEY}],
        "reserved_domains": [{"domain": "*.declared.example.org"}],
        "limits": {"api_requests_per_minute": 0, "api_failures_per_minute": 0},
    }
    seconds = SECONDS + 120

    def check_edge(self, edge: Edge) -> None:
        """As ever, but for the canary: its session and its name are there to be stopped and refused, too."""
        self.assertTrue(edge.alive, f"the edge has ended:\n{edge.log()[-3000:]}")
        self.assertEqual(edge.new_alarms()[:6000], "")

    def test_document(self) -> None:
        """Nothing that is asked breaks the server, and every answer is as the document says."""
        caller = APICaller(self.edge, API_KEY)
        self.addCleanup(caller.close)
        fill(caller, "schemathesis")  # so that lists and answers are not empty
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "schemathesis.toml").write_text(CONFIG)
        command = [
            *(tool("schemathesis"), "--config-file", "schemathesis.toml"),
            *("run", f"http://127.0.0.1:{self.edge.api}/openapi.json"),
            *("--phases", "examples,coverage,stateful,fuzzing", "--max-time", str(SECONDS), "--workers", "1"),
            *("--seed", SEED),
            *("--continue-on-failure", "--no-color"),
        ]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=SECONDS + 90)
        self.assertEqual(done.returncode, 0, done.stdout[-20_000:] + done.stderr[-2000:])
        tested = re.search(r"Tested: (\d+)", done.stdout)
        assert tested is not None
        document = caller("GET", "/openapi.json")[1]
        operations = [verb for verbs in document["paths"].values() for verb in verbs]
        self.assertEqual(int(tested[1]), len(operations) - 1)  # beside the one that gives the document
        for phase in ("Coverage", "Stateful", "Fuzzing"):
            self.assertIn(f"✅ {phase}", done.stdout)
