"""
What ngrok's API offers, as facts: ``ngrok_api.json`` has every resource and method that this server promises, with the
fields, types and parameters that the official clients know (PyPI ngrok-api 0.19.0, npm @ngrok/ngrok-api 0.11.0, Go
ngrok-api-go v7.8.0 and v8.0.0).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

_FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("ngrok_api.json").read_text())

#: Resources by name.
RESOURCES: dict[str, dict[str, Any]] = {resource["name"]: resource for resource in _FACTS["resources"]}

#: The fields of each named shape.
TYPES: dict[str, list[dict[str, Any]]] = _FACTS["types"]


def methods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every method, with its resource."""
    for resource in RESOURCES.values():
        for method in resource["methods"]:
            yield resource, method
