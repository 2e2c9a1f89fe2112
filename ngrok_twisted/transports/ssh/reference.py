"""
The tables of flags in the user's page on SSH, written from the flags themselves::

    python -m ngrok_twisted.transports.ssh.reference docs/ssh.md

Everything between the two marks of the page is replaced; the text around them is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterable, Iterator

from ngrok_twisted.transports.ssh.flags import FLAGS, PUBLISHING, Flag, Kind

BEGIN = "<!-- begin flags: python -m ngrok_twisted.transports.ssh.reference docs/ssh.md -->"
END = "<!-- end flags -->"


def section() -> str:
    """The tables, in Markdown, without the marks."""
    return "\n\n".join(["\n".join(table) for table in (_working(), _with_modules(), _refused())])


def updated(page: str) -> str:
    """
    :param page: the text of a page with both marks.
    :return: the same page with the tables of today between them.
    :raises ValueError: a mark is missing, or stands twice.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"the page needs one line {BEGIN} and, below it, one line {END}")
    return f"{before}{begin}\n\n{section()}\n\n{end}{after}"


def _working() -> Iterator[str]:
    yield "| Flag | Value | Goes with | Meaning |"
    yield "| --- | --- | --- | --- |"
    for flag in FLAGS:
        if not (flag.needs or flag.impossible):
            yield f"| {_names(flag)} | {_value(flag)} | {_commands(flag)} | {_cell(_meaning(flag))} |"


def _with_modules() -> Iterator[str]:
    yield "These are the work of a module of the edge. A server without the module refuses them with `ERR_NGROK_1109`,"
    yield "and does not list them in `--help`:"
    yield ""
    yield "| Flag | Value | Goes with | Module | Meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for flag in FLAGS:
        if flag.needs:
            meaning = _meaning(flag)
            yield f"| {_names(flag)} | {_value(flag)} | {_commands(flag)} | `{flag.needs}` | {_cell(meaning)} |"


def _refused() -> Iterator[str]:
    yield "Flags of ngrok's own agent that cannot work over SSH are refused with `ERR_NGROK_1109`:"
    yield ""
    yield "| Flag | Why |"
    yield "| --- | --- |"
    for flag in FLAGS:
        if flag.impossible:
            yield f"| {_names(flag)} | {_cell(flag.impossible)} |"


def _names(flag: Flag) -> str:
    return " ".join(f"`-{name}`" if len(name) == 1 else f"`--{name}`" for name in (flag.name, *flag.aliases))


def _value(flag: Flag) -> str:
    if flag.kind is Kind.BOOL:
        return ""
    return f"`{_cell(flag.value)}`{', repeatable' if flag.kind is Kind.LIST else ''}"


def _commands(flag: Flag) -> str:
    if set(PUBLISHING) < set(flag.on):
        return "all"
    return ", ".join(flag.on)


def _meaning(flag: Flag) -> str:
    return " ".join(_sentences(flag))


def _sentences(flag: Flag) -> Iterable[str]:
    yield flag.help if flag.help.endswith(".") else f"{flag.help}."
    if flag.only_v1:
        yield "Only as `v1@`; today it is `--schemes`."
    if flag.names:
        yield "Fits one `-R` only."
    if flag.needs and flag.harmless != (False,):
        yield f"`{flag.harmless[0]}` needs no module."


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main(path: str) -> None:
    """Write the tables into a page."""
    page = Path(path)
    page.write_text(updated(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
