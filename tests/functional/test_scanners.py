"""
Auditors: ``ssh-audit`` and ``sslyze`` find nothing to complain about.
"""

from __future__ import annotations

import json
import re
import subprocess

from tests.functional.case import EdgeTestCase
from tests.functional.clients import full_name
from tests.functional.tools import tool


class ScannerTests(EdgeTestCase):
    """Against the edge's own listeners."""

    seconds = 180

    def test_ssh_audit(self) -> None:
        """No algorithm that ``ssh-audit`` marks as a failure, and no known vulnerability."""
        command = [tool("ssh-audit"), "-n", "-j", "--skip-rate-test", "-p", str(self.edge.ssh), "127.0.0.1"]
        done = subprocess.run(command, capture_output=True, timeout=120)
        report = json.loads(done.stdout)
        failures = [
            (family, algorithm["algorithm"], algorithm["notes"]["fail"])
            for family in ("kex", "key", "enc", "mac")
            for algorithm in report[family]
            if algorithm.get("notes", {}).get("fail")
        ]
        self.assertEqual(failures, [])
        self.assertEqual(report.get("cves", []), [])

    def test_sslyze(self) -> None:
        """The https listener passes Mozilla's intermediate profile; that its CA is a private one is known."""
        target = f"{full_name('canary')}:{self.edge.https}{{127.0.0.1}}"
        command = [tool("sslyze"), "--mozilla_config=intermediate", f"--certinfo_ca_file={self.edge.ca}", target]
        done = subprocess.run(command, capture_output=True, timeout=150, text=True)
        self.assertIn("COMPLIANCE AGAINST", done.stdout, done.stderr[-2000:])
        verdict = done.stdout.partition("COMPLIANCE AGAINST")[2]
        complaints = re.findall(r"(?m)^ +\* (\w+): (.*)$", verdict)
        self.assertEqual([complaint for complaint in complaints if complaint[0] != "certificate_path_validation"], [])
        self.assertRegex(verdict, r"OK - Compliant|certificate_path_validation")
