"""
ngrok's own Terraform provider, unmodified.

It is in no package registry, so that the test runs only where somebody has put ``terraform-provider-ngrok`` on the path;
`scripts/install-test-tools` cannot bring it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from unittest import SkipTest

from tests.functional.api_client import NameServer
from tests.functional.case import EdgeTestCase
from tests.functional.edge import DOMAIN
from tests.functional.pems import certificate_authority, key_pair
from tests.functional.ssh_key import public_key
from tests.functional.test_api_clients import API_KEY
from tests.functional.tools import peer

#: ``terraform plan -detailed-exitcode``: nothing to do.
NOTHING_TO_DO = 0

_SETTINGS = """
provider_installation {{
  dev_overrides {{
    "registry.terraform.io/ngrok/ngrok" = "{folder}"
  }}
  direct {{}}
}}
"""


class TerraformTests(EdgeTestCase):
    """A configuration with every resource of the provider."""

    config = {
        "api_keys": [{"name": "tests", "token": API_KEY}],
        "reserved_domains": [{"domain": "*.example.org"}],
    }
    seconds = 240

    def setUp(self) -> None:
        for name in ("terraform", "terraform-provider-ngrok"):
            if shutil.which(name) is None:
                raise SkipTest(f"{name} is not on the path, and no package registry has it")
        super().setUp()
        self.names = NameServer(self.edge)
        self.addCleanup(self.names.close)
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        shutil.copy(Path(peer("terraform")) / "main.tf", self.folder)
        provider = Path(str(shutil.which("terraform-provider-ngrok"))).parent
        (self.folder / "settings").write_text(_SETTINGS.format(folder=provider))
        certificate, key = key_pair("terraform.example.org")
        self.values = {
            "base_domain": DOMAIN,
            "certificate_pem": certificate,
            "private_key_pem": key,
            "ca_pem": certificate_authority(),
            "public_key": public_key(),
        }

    def terraform(self, *words: str, note: str) -> int:
        """The exit code of one command; it must be one that the provider chose."""
        environment = {
            **os.environ,
            **{f"TF_VAR_{name}": value for name, value in self.values.items()},
            "TF_VAR_note": note,
            "TF_CLI_CONFIG_FILE": str((self.folder / "settings").absolute()),
            "NGROK_API_KEY": API_KEY,
            "NGROK_API_BASE_URL": f"https://api.{DOMAIN}:{self.edge.https}",
            "SSL_CERT_FILE": str(self.edge.ca),
            "HTTPS_PROXY": f"http://127.0.0.1:{self.names.port}",
            "CHECKPOINT_DISABLE": "1",
        }
        done = subprocess.run(
            ["terraform", *words, "-input=false", "-no-color"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=self.seconds,
        )
        self.assertIn(done.returncode, (0, 2), f"terraform {' '.join(words)}:\n{done.stdout}\n{done.stderr}")
        return done.returncode

    def test_life(self) -> None:
        """What is applied is there as it was asked for, is changed in place, and goes away."""
        for note in ("first", "second"):
            self.terraform("apply", "-auto-approve", note=note)
            self.assertEqual(self.terraform("plan", "-detailed-exitcode", note=note), NOTHING_TO_DO)
        self.terraform("destroy", "-auto-approve", note="second")
