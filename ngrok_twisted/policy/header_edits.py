"""
`HeaderEdits`: headers to add and to remove, ready to be made into fields for any message.
"""

from __future__ import annotations

from typing import Any, Iterable

from twisted.logger import Logger

from ngrok_twisted.policy.facts import Facts
from ngrok_twisted.policy.header_rules import Added
from ngrok_twisted.policy.template import Template, field_value, parse_template

_log = Logger()


class HeaderEdits:
    """
    :ivar removed: names in lower case.
    :ivar fixed: every added field, if none of them depends on anything; else ``None``.
    """

    def __init__(self, added: Iterable[Added], remove: Iterable[str]) -> None:
        """
        :param added: checked by `ngrok_twisted.policy.header_rules`.
        :param remove: likewise.
        """
        self.removed = frozenset(name.lower().encode("ascii") for name in remove)
        self._added = [(name.lower().encode("ascii"), _part(parse_template(value))) for _, name, value in added]
        depends = any(isinstance(value, Template) for _, value in self._added)
        self.fixed: tuple[tuple[bytes, bytes], ...] | None = None if depends else tuple(self._added)

    def fields(self, facts: Facts) -> list[tuple[bytes, bytes]]:
        """The fields to add now."""
        return [
            (name, value if isinstance(value, bytes) else field_value(value.render(facts)))
            for name, value in self._added
        ]

    def warn(self, module: str, account_id: str, has_response: bool) -> None:
        """
        Log the variables that stay empty because there are none of that name here.

        :param module: the module's name.
        :param has_response: variables of the response mean something.
        """
        templates = [value for _, value in self._added if isinstance(value, Template)]
        for reference in (reference for template in templates for reference in template.references):
            late = reference.variable is not None and reference.variable.response and not has_response
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
