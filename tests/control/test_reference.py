"""
Tests of `ngrok_twisted.control.reference` and `ngrok_twisted.control.examples`.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control import config
from ngrok_twisted.control.examples import EXAMPLES, SERVER
from ngrok_twisted.control.lists import lists
from ngrok_twisted.control.reference import page
from ngrok_twisted.describe import field_docs
from tests.control.declaring import KEY, ConfigCase, make_host_key, make_pair
from tests.tls.authority import Made

#: A policy that answers everything.
POLICY = "on_http_request: [{actions: [{type: custom-response, config: {status_code: 200, content: hi}}]}]\n"


class ReferenceTests(SynchronousTestCase):
    """The page ``docs/configuration.md``."""

    def test_up_to_date(self) -> None:
        """The page in the repository is the one that the code gives; its introduction says how it is made."""
        file = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
        self.assertEqual(file.read_text(), page())

    def test_every_field(self) -> None:
        """Every field has a meaning."""
        classes: list[Any] = [item for item in vars(config).values() if is_dataclass(item)]
        classes += [list_.body for list_ in lists().values()]
        self.assertGreater(len(classes), 20)
        for cls in classes:
            for field in fields(cls):
                self.assertTrue(field_docs(cls).get(field.name), f"{cls.__name__}.{field.name}")

    def test_every_list(self) -> None:
        """Every list is told of, with its fields."""
        text = page()
        for place, list_ in lists().items():
            self.assertIn(f"### `{place}`", text)
            for field in field_docs(list_.body):
                if field not in ("name", "description", "metadata", "modules"):
                    self.assertIn(f"| `{field}` |", text)


class ExampleTests(ConfigCase):
    """The examples on the page."""

    def test_together(self) -> None:
        """There is one for each list, and together they are a config without a problem."""
        self.assertEqual(set(EXAMPLES), set(lists()))
        data = yaml.safe_load(SERVER)
        for _, example in EXAMPLES.values():
            for key, value in yaml.safe_load(example).items():
                data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) else value
        certificate, key = make_pair()
        files = {
            "shop.pem": certificate,
            "shop.key": key,
            "staff-ca.pem": Made("staff").pem,
            "me.pub": f"{KEY} me\n",
            "agent.token": "a-token-of-the-agents\n",
            "ssh-ca": make_host_key(),
            "policy.yaml": POLICY,
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        secrets = {"API_KEY": "a-key-of-terraform-s", "DB_PASSWORD": "hush", "AWS_SECRET": "hush"}
        made = self.load(yaml.safe_dump(data, sort_keys=False), secrets).declared.records
        families = {record.family for record in made}
        self.assertLessEqual({list_.resource.record.family for list_ in lists().values()}, families)
        self.assertNotIn("hush", repr(made))
