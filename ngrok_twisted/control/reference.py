"""
The reference page of ``config.yaml``, written from the dataclasses that read it::

    python -m ngrok_twisted.control.reference > docs/configuration.md
"""

from __future__ import annotations

import json
import sys
from typing import Any, Iterator

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.load import NOT_BUILT
from ngrok_twisted.describe import describe

_INTRODUCTION = """\
# config.yaml

`twistd ngrok -c config.yaml` reads it; without `-c` the defaults below are in force. This page is generated from the code:
`python -m ngrok_twisted.control.reference > docs/configuration.md`.

- Unknown keys are errors. `null`, or nothing after the colon, is the same as leaving the key out.
- YAML is read as YAML 1.2: only `true` and `false` are truth values, so `access_log: off` is the word.
- Paths may start with `~`, or are relative to the file.
- A text that is marked *may stand elsewhere* can be `file:PATH` or `env:NAME`.
- Listeners are [Twisted endpoint strings](https://docs.twisted.org/en/stable/core/howto/endpoints.html#servers).
- Every item of a list may carry a `name`; wherever an id of such an item is expected, the name serves.
- Every module under an edge or a route is enabled, unless it says `enabled: false`.
"""


def page() -> str:
    """The whole page, in Markdown."""
    lines = [_INTRODUCTION, *_block("", describe(Config)), *_not_built()]
    return "\n".join(lines).rstrip() + "\n"


def _block(path: str, block: dict[str, Any]) -> Iterator[str]:
    """A table of a mapping's keys, then the tables of the mappings inside it."""
    if path:
        yield f"## `{path}`\n"
    yield "| Key | Type | Default | Meaning |"
    yield "| --- | --- | --- | --- |"
    required = block.get("required", [])
    for name, item in block["properties"].items():
        default = "required" if name in required else _default(item)
        yield f"| `{name}` | {_type(item)} | {default} | {_meaning(item)} |"
    yield ""
    for name, item in block["properties"].items():
        inner, tail = _inside(item)
        if inner.get("properties"):
            yield from _block(f"{path}.{name}{tail}" if path else name + tail, inner)


def _inside(item: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The mapping inside a property: itself, or what its list holds."""
    if item.get("type") == "array":
        return item["items"], "[]"
    return item, ""


def _type(item: dict[str, Any]) -> str:
    if "enum" in item:
        return " or ".join(f"`{value}`" for value in item["enum"])
    if "anyOf" in item:
        return " or ".join(_type(option) for option in item["anyOf"])
    if item.get("type") == "array":
        return "list of mappings" if _inside(item)[0].get("type") == "object" else f"list of {_type(item['items'])}"
    if item.get("type") == "object" and "properties" not in item:
        return f"mapping of text to {_type(item['additionalProperties'])}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}
    kind: str = item.get("type", "anything")
    return words.get(kind, kind)


def _default(item: dict[str, Any]) -> str:
    default = item.get("default")
    return "" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"


def _meaning(item: dict[str, Any]) -> str:
    text = item.get("description", "").replace("``", "`").replace("|", r"\|")
    elsewhere = item.get("external") or any(option.get("external") for option in item.get("anyOf", ()))
    return f"{text} May stand elsewhere." if elsewhere and "elsewhere" not in text else text


def _not_built() -> Iterator[str]:
    yield "## Not built into this version\n"
    yield "These keys are refused, with a sentence, rather than ignored:\n"
    yield ", ".join(f"`{path}`" for path in NOT_BUILT) + "."


if __name__ == "__main__":
    sys.stdout.write(page())
