"""
Tests of `ngrok_twisted.control.reference`.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control import config, items
from ngrok_twisted.control.reference import page
from ngrok_twisted.describe import field_docs


class ReferenceTests(SynchronousTestCase):
    """The page ``docs/configuration.md``."""

    def test_up_to_date(self) -> None:
        """The page in the repository is the one that the code gives; its introduction says how it is made."""
        file = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
        self.assertEqual(file.read_text(), page())

    def test_every_field(self) -> None:
        """Every field has a meaning."""
        classes: list[Any] = [
            item for module in (config, items) for item in vars(module).values() if is_dataclass(item)
        ]
        self.assertGreater(len(classes), 10)
        for cls in classes:
            for field in fields(cls):
                self.assertTrue(field_docs(cls).get(field.name), f"{cls.__name__}.{field.name}")
