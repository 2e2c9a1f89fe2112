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

#: Edits that one module knows by heart, and bytes that one of them may take: half a megabyte together. Only what was asked for
#: before is learned, so that paths which nobody asks for twice cost little; so many such questions are told apart.
EDITS_KEPT, EDIT_KEPT_BYTES, QUESTIONS_KEPT = 512, 1024, 1024

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
        self._varying = [_varies(value, has_response) for _, value in self._added]
        self._varies = any(self._varying)
        self._question = _question(self._references, has_response)
        self._known: dict[Any, Any] = {}
        self._asked: set[int] = set()

    def edit(self, subject: Any) -> HeadEdit:
        """
        The change to a message now. What depends on little is the same for many, and is worked out once for them all.

        :param subject: an `ngrok_twisted.edge.request.EdgeRequest`; of a response its `ngrok_twisted.wrapper.ResponseHead`.
        """
        asked = self._question(subject)
        known = self._known.get(asked)
        if known is None:
            known = self._work_out(subject, asked)
        edit: HeadEdit = self._make(self.removed, self._rendered(known, subject)) if self._varies else known
        return edit

    def _work_out(self, subject: Any, asked: Any) -> Any:
        """:return: the edit; or the fields, where some are still templates whose values may be others each time."""
        fields = self._rendered_once(subject) if self._varies else self._rendered(self._added, subject)
        made = fields if self._varies else self._make(self.removed, fields)
        mark = hash(asked)
        if mark in self._asked:
            self._learn(asked, made, fields)
        else:
            if len(self._asked) >= QUESTIONS_KEPT:
                self._asked.clear()
            self._asked.add(mark)
        return made

    def _learn(self, asked: Any, made: Any, fields: Sequence[tuple[bytes, Any]]) -> None:
        if len(repr(asked)) + sum(len(value) for _, value in fields if isinstance(value, bytes)) <= EDIT_KEPT_BYTES:
            if len(self._known) >= EDITS_KEPT:
                self._known.clear()
            self._known[asked] = made
            if isinstance(made, HeadEdit):
                made.last()  # others may remember what comes of it, too

    def _rendered_once(self, subject: Any) -> Sequence[tuple[bytes, Any]]:
        """The fields, those that vary as templates."""
        lasting = [field for field, varies in zip(self._added, self._varying) if not varies]
        rendered = iter(self._rendered(lasting, subject))
        return [field if varies else next(rendered) for field, varies in zip(self._added, self._varying)]

    def _rendered(self, fields: Iterable[tuple[bytes, Any]], subject: Any) -> Fields:
        facts = Facts(subject.request, subject) if self._has_response else Facts(subject)
        return [
            (name, value if isinstance(value, bytes) else field_value(value.render(facts))) for name, value in fields
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


def _means_something(reference: Reference, has_response: bool) -> bool:
    return reference.variable is not None and (has_response or not reference.variable.response)


def _varies(value: Any, has_response: bool) -> bool:
    """Whether the value of a field depends on more than can be told."""
    return isinstance(value, Template) and any(
        reference.variable is not None and not reference.variable.of
        for reference in value.references
        if _means_something(reference, has_response)
    )


def _question(references: Iterable[Reference], has_response: bool) -> Callable[[Any], Any]:
    """What gives all that the references depend on, as far as it can be told, for a subject as `HeaderEdits.edit` has it."""
    paths: dict[str, None] = {}
    for reference in references:
        if reference.variable is not None and _means_something(reference, has_response):
            paths.update(dict.fromkeys(reference.variable.of))
    start = "response." if has_response else "request."
    return attrgetter(*(path.removeprefix(start) for path in paths)) if paths else _nothing


def _nothing(subject: Any) -> None:
    """They depend on nothing."""
