"""
`HeaderEdits`: headers to add and to remove, ready to be made into the change of any message.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Callable, Iterable, Sequence

from twisted.logger import Logger

from ngrok_twisted.policy.facts import Facts
from ngrok_twisted.policy.header_rules import Added
from ngrok_twisted.policy.template import Reference, Template, field_value, parse_template
from ngrok_twisted.wrapper import HeadEdit

_log = Logger()

#: Edits that one module knows by heart, and bytes that one of them may take: half a megabyte together.
EDITS_KEPT, EDIT_KEPT_BYTES = 512, 1024

Fields = Sequence[tuple[bytes, bytes]]


class HeaderEdits:
    """
    :ivar removed: names in lower case.
    """

    def __init__(
        self,
        added: Iterable[Added],
        remove: Iterable[str],
        has_response: bool = False,
        make: Callable[[frozenset[bytes], Fields], HeadEdit] = HeadEdit,
    ) -> None:
        """
        :param added: checked by `ngrok_twisted.policy.header_rules`.
        :param remove: likewise.
        :param has_response: variables of the response mean something.
        :param make: ``make(removed, fields)`` makes a `HeadEdit`.
        """
        self.removed = frozenset(name.lower().encode("ascii") for name in remove)
        self._added = [(name.lower().encode("ascii"), _part(parse_template(value))) for _, name, value in added]
        self._has_response = has_response
        self._make = make
        self._references = [
            reference for _, value in self._added if isinstance(value, Template) for reference in value.references
        ]
        self._known: dict[Any, HeadEdit] = {}
        self._question = _question(self._references, has_response)

    def edit(self, subject: Any) -> HeadEdit:
        """
        The change to a message now. What depends on little is the same for many, and is worked out once for them all.

        :param subject: an `ngrok_twisted.edge.request.EdgeRequest`; of a response its `ngrok_twisted.wrapper.ResponseHead`.
        """
        question = self._question
        if question is None:
            return self._make(self.removed, self._fields(subject))
        asked = question(subject)
        known = self._known.get(asked)
        if known is None:
            return self._work_out(subject, asked)
        if not known.lasting:  # it is asked for again: others may remember what comes of it
            known.last()
        return known

    def _work_out(self, subject: Any, asked: Any) -> HeadEdit:
        edit = self._make(self.removed, self._fields(subject))
        if len(repr(asked)) + sum(len(value) for _, value in edit.added) <= EDIT_KEPT_BYTES:
            if len(self._known) >= EDITS_KEPT:
                self._known.clear()
            self._known[asked] = edit
        return edit

    def _fields(self, subject: Any) -> list[tuple[bytes, bytes]]:
        facts = Facts(subject.request, subject) if self._has_response else Facts(subject)
        return [
            (name, value if isinstance(value, bytes) else field_value(value.render(facts)))
            for name, value in self._added
        ]

    def warn(self, module: str, account_id: str) -> None:
        """
        Log the variables that stay empty because there are none of that name here.

        :param module: the module's name.
        """
        for reference in self._references:
            late = reference.variable is not None and reference.variable.response and not self._has_response
            if late or not reference.known:
                _log.warn(
                    "{module} of account {account}: there is no variable {name!r} here, so it stays empty",
                    module=module,
                    account=account_id,
                    name=reference.name,
                )


def _part(template: Template) -> Any:
    """A template, or the bytes of one that depends on nothing."""
    return template if template.references else field_value("".join(map(str, template.parts)))


def _question(references: Iterable[Reference], has_response: bool) -> Callable[[Any], Any] | None:
    """
    What gives all that the references depend on, for a subject as `HeaderEdits.edit` has it; ``None`` if they depend on more
    than can be told.
    """
    paths: dict[str, None] = {}
    for reference in references:
        variable = reference.variable
        if variable is None or (variable.response and not has_response):
            continue  # there is nothing, for everyone
        if not variable.of:
            return None
        paths.update(dict.fromkeys(variable.of))
    start = "response." if has_response else "request."
    return attrgetter(*(path.removeprefix(start) for path in paths)) if paths else _nothing


def _nothing(subject: Any) -> None:
    """They depend on nothing."""
