"""
The reference page of ``config.yaml``, written from the dataclasses that read it, which for the lists are those of the API::

    python -m ngrok_twisted.control.reference > docs/configuration.md
"""

from __future__ import annotations

import json
import sys
from typing import Any, Iterator

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.examples import EXAMPLES, SERVER
from ngrok_twisted.control.lists import List, list_types, lists
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
- Every problem is told at once, with its line; `twistd ngrok --check -c config.yaml` does no more than that.
- `SIGHUP` reads the file again. A file with a problem is refused whole, and what was in force stays.
"""

_LISTS = """\
## Lists

Everything that the management API makes can be declared instead, with the same fields; [api.md](api.md) has more on each.

- What is declared cannot be changed over the API. What is stored stays, and may not be in the way of what is declared.
- Every item may have a `name`, unique in its list; wherever an id of such an item is expected, the name serves.
- Every item may have an `account`: the name of the account that owns it; without it the default account does.
- Most have a `description` of at most 255 bytes and `metadata` of at most 4096, which comes back byte for byte.
- Ids follow from names, or else from what an item is about, such as its domain; they are the same at every start.
- Every module under an edge or a route is enabled, unless it says `enabled: false`.

Together the examples below are one configuration.
"""


#: What items of all lists have; it is told once.
_COMMON = frozenset({"name", "account", "description", "metadata"})


def page() -> str:
    """The whole page, in Markdown."""
    server = describe(Config)
    rest = {name: item for name, item in server["properties"].items() if name not in list_types()}
    lines = [_INTRODUCTION, *_block("", {**server, "properties": rest}), _LISTS, *_example(SERVER)]
    for place in (*EXAMPLES, *sorted(set(lists()) - set(EXAMPLES))):
        if place in lists():
            lines += _list(lists()[place])
    return "\n".join([*lines, *_not_built()]).rstrip() + "\n"


def _list(list_: List) -> Iterator[str]:
    """What a list is for, its fields, and an example."""
    meaning, example = EXAMPLES.get(list_.place, (f"Each item becomes a {list_.resource.noun}.", ""))
    item = describe(list_.item)
    required = item.get("required", [])
    own = {name: each for name, each in item["properties"].items() if name not in _COMMON or name in required}
    yield f"### `{list_.place}`\n"
    yield f"{meaning}\n"
    yield from _block("", {**item, "properties": own}, f"{list_.place}[]")
    yield from _example(example)


def _example(text: str) -> Iterator[str]:
    if text:
        yield f"```yaml\n{text}```\n"


def _block(path: str, block: dict[str, Any], inside: str = "") -> Iterator[str]:
    """
    A table of a mapping's keys, then the tables of the mappings inside it.

    :param inside: what the paths of those start with, where the mapping itself needs no title.
    """
    if path:
        yield f"{'####' if inside else '##'} `{path}`\n"
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
            outer = path or inside
            yield from _block(f"{outer}.{name}{tail}" if outer else name + tail, inner, inside)


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
    below = "see below." if _inside(item)[0].get("properties") else ""
    text = item.get("description", below).replace("``", "`").replace("|", r"\|")
    elsewhere = item.get("external") or any(option.get("external") for option in item.get("anyOf", ()))
    return f"{text} May stand elsewhere." if elsewhere and "elsewhere" not in text else text


def _not_built() -> Iterator[str]:
    yield "## Not built into this version\n"
    yield "These keys are refused, with a sentence, rather than ignored:\n"
    yield ", ".join(f"`{path}`" for path in NOT_BUILT) + "."


if __name__ == "__main__":
    sys.stdout.write(page())
