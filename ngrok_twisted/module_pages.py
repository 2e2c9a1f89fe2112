"""
The pages of the modules in ``docs/modules/``, one a kind, and the table of all of them, made from the kinds themselves::

    python -m ngrok_twisted.module_pages docs/modules

Everything between the two marks of a page is replaced; the text around them is written by hand. A page that is not there is
begun; one without marks gets them behind its first paragraph.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping

import yaml

from ngrok_twisted import kinds
from ngrok_twisted.describe import describe
from ngrok_twisted.errors import EdgeError
from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, IModuleKind, ITLSModule
from ngrok_twisted.module_examples import COMMANDS, EXAMPLES, HOSTPORTS, NOTES, REFERRED, SERVER, Example
from ngrok_twisted.records.edge import config_type
from ngrok_twisted.transports.ssh.flags import FLAGS, Flag, Kind

BEGIN = "<!-- begin: made by python -m ngrok_twisted.module_pages docs/modules -->"
END = "<!-- end -->"

INDEX = "README"

#: Where a module may stand, the usual place first: what it is called, its list in a config and its path in the API.
PLACES: Mapping[str, tuple[str, str, str]] = {
    "route": ("a route of an HTTPS edge", "edges.https[].routes[]", "/edges/https/$EDGE/routes/$ROUTE"),
    "https": ("an HTTPS edge, for all of its routes", "edges.https[]", "/edges/https/$EDGE"),
    "tls": ("a TLS edge", "edges.tls[]", "/edges/tls/$EDGE"),
    "tcp": ("a TCP edge", "edges.tcp[]", "/edges/tcp/$EDGE"),
}

_LEVELS = ((ITLSModule, "handshake"), (IConnectionModule, "connection"), (IHTTPModule, "request"))

_CURL = """\
curl -X PUT https://api.example.com{path}/{name} \\
  -H "authorization: Bearer $KEY" -H "ngrok-version: 2" -H "content-type: application/json" \\
  -d '{body}'
"""
_SSH = "ssh -R {port}:localhost:3000 connect.example.com {words}\n"

_NOTED = """\
In the flow of each request: [headers](variables.md) can show it, the [access log](../operating.md#the-access-log) tells what was
decided and why, and [metrics](../operating.md#metrics) count it.
"""

#: Letters in a line of an example.
_WIDTH = 112

Lines = Iterator[str]


def module_kinds() -> Mapping[str, Any]:
    """Every kind by its name, in the order in which traffic meets them: the handshake comes first."""
    found = kinds.discover("ngrok_twisted.modules", IModuleKind).values()
    ordered = sorted(found, key=lambda kind: (not ITLSModule.implementedBy(kind), kind.phase, kind.name))
    return {kind.name: kind for kind in ordered}


def pages() -> Mapping[str, str]:
    """What is made of each page, by its name without an end."""
    return {INDEX: "".join(_index()), **{name: "".join(_page(kind)) for name, kind in module_kinds().items()}}


def updated(page: str, made: str, title: str) -> str:
    """
    :param page: the text of the page; empty if there is none.
    :param made: what belongs between its marks.
    :param title: of a page that is begun.
    :return: the page of today.
    :raises ValueError: a mark stands alone, or twice.
    """
    if BEGIN not in page and END not in page:
        page = _with_marks(page or f"# {title}\n")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"the page needs one line {BEGIN} and, below it, one line {END}")
    return f"{before}{begin}\n\n{made.strip()}\n\n{end}{after}"


def _with_marks(page: str) -> str:
    parts = page.strip().split("\n\n", 2)
    return "\n\n".join([*parts[:2], f"{BEGIN}\n{END}", *parts[2:]]) + "\n"


# -- a module ----------------------------------------------------------------------------------------------------------


def _page(kind: Any) -> Lines:
    yield from _places(kind)
    yield from _settings(kind)
    yield from _examples(kind)
    yield from _refusals(kind)
    yield from _notes(kind)


def _attached(kind: Any) -> list[str]:
    return [place for place in PLACES if place in kind.attaches]


def _flags(kind: Any) -> list[Flag]:
    return [flag for flag in FLAGS if flag.needs == kind.name]


def _places(kind: Any) -> Lines:
    yield "## Where it stands\n\n| On | In `config.yaml` | API |\n| --- | --- | --- |\n"
    for place in _attached(kind):
        said, path, url = PLACES[place]
        yield f"| {said} | `{path}.{kind.name}` | `{url}/{kind.name}` |\n"
    commands = dict.fromkeys(command for flag in _flags(kind) for command in flag.on)
    if commands:
        yield f"| an endpoint of an agent | | {_names(commands)} of [ssh](../ssh.md#flags) |\n"
    yield f"\nIt looks at each {_levels(kind)}, in the phase `{kind.phase.name}` of [the order](README.md)."
    yield " TLS must end at the edge.\n" if getattr(kind, "needs_termination", False) else "\n"


def _levels(kind: Any) -> str:
    return " and each ".join(word for interface, word in _LEVELS if interface.implementedBy(kind))


def _settings(kind: Any) -> Lines:
    yield "\n## Settings\n"
    shapes: dict[type, list[str]] = {}
    for place in _attached(kind):
        shapes.setdefault(config_type(kind, place), []).append(place)
    for config, places in shapes.items():
        if len(shapes) > 1:
            yield f"\nOn {' and '.join(PLACES[place][0] for place in places)}:\n"
        yield "\n| Field | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"
        yield "| `enabled` | true or false | `true` | with `false` traffic passes it by, and its settings stay |\n"
        yield from _rows("", describe(config), getattr(kind, "codes", {}))
    if _flags(kind):
        yield "\n| Flag of ssh | Value | Meaning |\n| --- | --- | --- |\n"
        yield from (_flag(flag) for flag in _flags(kind))


def _rows(path: str, shape: dict[str, Any], codes: Mapping[str, int]) -> Lines:
    for name, inner in shape["properties"].items():
        default = "required" if name in shape.get("required", ()) else _default(inner)
        code = f" ({codes[name]})" if name in codes else ""
        meaning = _cell(inner.get("description", "")).rstrip(".") + f"{code}.{_elsewhere(inner)}"
        yield f"| `{path}{name}` | {_type(inner)} | {default} | {meaning} |\n"
        if inner.get("items", {}).get("properties"):
            yield from _rows(f"{path}{name}[].", inner["items"], {})


def _type(shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    if shape.get("type") == "array":
        return f"list of {_type(shape['items'])}s"
    if shape.get("type") == "object":
        return "mapping" if "properties" in shape else "mapping of texts"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return words.get(shape["type"], shape["type"])


def _default(shape: dict[str, Any]) -> str:
    default = shape.get("default")
    return "" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"


def _elsewhere(shape: dict[str, Any]) -> str:
    return " In a config it may be `file:PATH` or `env:NAME`." if shape.get("external") else ""


def _flag(flag: Flag) -> str:
    names = " ".join(f"`--{name}`" for name in (flag.name, *flag.aliases))
    value = "" if flag.kind is Kind.BOOL else f"`{_cell(flag.value)}`{', repeatable' if flag.kind is Kind.LIST else ''}"
    return f"| {names} | {value} | {_cell(flag.help)} |\n"


def _refusals(kind: Any) -> Lines:
    found = refusals(kind)
    if found:
        yield "\n## Who is refused\n\n| Code | Status | Page |\n| --- | --- | --- |\n"
        for error in found:
            yield f"| `ERR_NGROK_{error.code}` | {error.status} | {_cell(error.sentence)} |\n"


def refusals(kind: Any) -> list[type[EdgeError]]:
    """What a kind raises instead of letting traffic pass: the errors that its file defines."""
    values = vars(sys.modules[kind.__module__]).values()
    return [
        value
        for value in values
        if isinstance(value, type) and issubclass(value, EdgeError) and value.__module__ == kind.__module__
    ]


def _notes(kind: Any) -> Lines:
    notes = NOTES.get(kind.name, {})
    if notes:
        yield f"\n## What is noted\n\n{_NOTED}\n| Name | Value |\n| --- | --- |\n"
        yield from (f"| `{name}` | {_cell(meaning)} |\n" for name, meaning in notes.items())


def noted(kind: Any) -> set[str]:
    """The names under which a kind notes something: those constants of its file, and of what it is made of, that look so."""
    homes = {
        inspect.getmodule(value) for value in vars(sys.modules[kind.__module__]).values() if inspect.isclass(value)
    }
    texts = (value for home in homes for value in vars(home).values() if isinstance(value, str))
    return {text for text in texts if text.startswith(f"{kind.name}.") or text.endswith(".decision")}


# -- examples ----------------------------------------------------------------------------------------------------------


def _examples(kind: Any) -> Lines:
    examples, commands = EXAMPLES.get(kind.name, {}), COMMANDS.get(kind.name, ())
    if examples:
        place = next(iter(examples))
        yield f"\n## Examples\n\n```yaml\n{config_example(kind.name)}```\n"
        yield f"\n```sh\n{curl_example(kind, place, examples[place])}```\n"
    if commands:
        yield "\n```sh\n" + "".join(ssh_example(words) for words in commands) + "```\n"


def config_example(name: str) -> str:
    """A config in which a module stands at every place where it may, with all that it refers to."""
    made: dict[str, Any] = {key: value for place in EXAMPLES[name] for key, value in SERVER[_edges(place)].items()}
    for place, example in EXAMPLES[name].items():
        edges = _edges(place)
        modules = {**example.beside, name: example.settings}
        backend = {"backend": {"backend_id": "web"}}
        item: dict[str, Any] = {"hostports": [HOSTPORTS[edges]]}
        route = {"match": "/", **backend}
        if place == "route":
            item["routes"] = [{**route, **modules}]
        elif place == "https":
            item.update(modules, routes=[route])
        else:
            item.update(backend, **modules)
        made.setdefault("edges", {})[edges] = [item]
    for referred in ("web", *_referred(EXAMPLES[name].values())):
        place, record = REFERRED[referred]
        outer, _, inner = place.partition(".")
        made[outer] = {inner: [record]} if inner else [record]
    return "".join(_yaml(key, value) for key, value in made.items())


def _edges(place: str) -> str:
    return "https" if place == "route" else place


def _yaml(key: str, value: Any) -> str:
    style = None if isinstance(value, (dict, list)) else False
    made: str = yaml.dump({key: value}, Dumper=_Dumper, sort_keys=False, default_flow_style=style, width=_WIDTH)
    return made


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, as people write them; nothing is written as a reference to something above."""

    def ignore_aliases(self, data: Any) -> bool:
        """See PyYAML."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def curl_example(kind: Any, place: str, example: Example) -> str:
    """The same over the API."""
    settings = example.settings if example.posted is None else example.posted
    body = json.dumps(settings, ensure_ascii=False).replace("'", "'\\''")
    for name in _referred([example]):
        body = body.replace(f'"{name}"', f"\"'${name.upper()}'\"")
    return _CURL.format(path=PLACES[place][2], name=kind.name, body=body)


def ssh_example(words: str) -> str:
    """A line that publishes something."""
    line = _SSH.format(port="0" if words.startswith("tcp") else "443", words=words)
    return line if len(line) <= _WIDTH else line.replace(" connect.example.com ", " connect.example.com \\\n  ")


def _referred(examples: Iterable[Example]) -> list[str]:
    said = json.dumps([[example.settings, example.beside] for example in examples])
    return [name for name in REFERRED if f'"{name}"' in said]


# -- all of them -------------------------------------------------------------------------------------------------------


def _index() -> Lines:
    yield "| | Module | Looks at | Stands on | By ssh | What it does |\n| --- | --- | --- | --- | --- | --- |\n"
    for number, (name, kind) in enumerate(module_kinds().items(), 1):
        places = ", ".join(_attached(kind))
        flags = _names(f"--{flag.name}" for flag in _flags(kind))
        does = _cell(" ".join((kind.__doc__ or "").split()))
        yield f"| {number} | [`{name}`]({name}.md) | {_levels(kind)} | {places} | {flags} | {does} |\n"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ").replace("`None`", "null")


def main(folder: str) -> None:
    """Write all pages."""
    for name, made in pages().items():
        file = Path(folder) / f"{name}.md"
        before = file.read_text("utf-8") if file.exists() else ""
        file.write_text(updated(before, made, "Modules" if name == INDEX else f"`{name}`"), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
