"""
What changes in a head on its way through the edge (RFC 9110 section 7.6): pure functions.

``X-Forwarded-*`` values that a visitor sent are kept in front of ours and never believed: the last value is the edge's own.
"""

from __future__ import annotations

from typing import AbstractSet, Any, Callable, Iterable, Sequence, TypeVar

from ngrok_twisted.upstream.memo import Memo, size_of
from ngrok_twisted.upstream.syntax import TOKEN, Fields, MalformedMessage, tokens
from ngrok_twisted.wrapper import HeadEdit

T = TypeVar("T")

# What is done with a field of a request, by its lower-case name.
_DROP, _FOR, _PROTO, _HOST, _LENGTH, _TE = range(1, 7)

# Fields that speak of one connection only (RFC 9110 section 7.6.1), and the framing, which is written anew.
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)

_REQUEST_FIELDS: dict[bytes, int] = {
    **{name: _DROP for name in HOP_BY_HOP},
    b"host": _DROP,
    b"expect": _DROP,
    b"http2-settings": _DROP,
    b"te": _TE,
    b"content-length": _LENGTH,
    b"x-forwarded-for": _FOR,
    b"x-forwarded-proto": _PROTO,
    b"x-forwarded-host": _HOST,
}


class _Kinds(dict[bytes, int | None]):
    """What is done with a field of a request, by its lower-case name. Names that were found to be some are remembered."""

    def __missing__(self, name: bytes) -> None:
        if TOKEN.fullmatch(name) is None:
            raise MalformedMessage("a name that is none")
        if len(name) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
                self.update(_REQUEST_FIELDS)
            self[name] = None


# Bytes of a name, and how many names: visitors use a few dozen.
_LONGEST_REMEMBERED, _MOST_REMEMBERED = 64, 1024

_KINDS = _Kinds(_REQUEST_FIELDS)

# As numbers: ``in`` finds them in ``bytes`` ten times as fast as it finds ``bytes``.
_NUL, _SPACE = b"\0 "

# Those that visitors use; others are looked at each time.
_METHODS = frozenset(b"GET HEAD POST PUT PATCH DELETE OPTIONS".split())


class Passed:
    """
    What of a visitor's fields goes upstream, whatever the rest of the request.

    :ivar block: their bytes, but for those below.
    :ivar count: how many fields there are in it.
    :ivar forwarded_for: what the visitor sent for ``X-Forwarded-For``, and so on; empty if nothing.
    :ivar has_length: there was a ``Content-Length``.
    :ivar trailers: there was ``TE: trailers``.
    """

    __slots__ = ("block", "count", "forwarded_for", "forwarded_proto", "forwarded_host", "has_length", "trailers")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]], render: Callable[[Fields], bytes]) -> None:
        """
        :param render: makes fields bytes.
        :raises MalformedMessage: a name would be read as something else.
        """
        kept: Fields = []
        forwarded_for = forwarded_proto = forwarded_host = b""
        self.has_length = self.trailers = False
        kinds = _KINDS
        for field in fields:
            name, value = field
            kind = kinds[name.lower()]
            if kind is None:
                kept.append(field)
            elif kind == _FOR:
                forwarded_for = forwarded_for + b", " + value if forwarded_for else value
            elif kind == _PROTO:
                forwarded_proto = forwarded_proto + b", " + value if forwarded_proto else value
            elif kind == _HOST:
                forwarded_host = forwarded_host or value
            elif kind == _LENGTH:
                self.has_length = True
            elif kind == _TE and not self.trailers and b"trailers" in tokens(value):
                kept.append((b"TE", b"trailers"))
                self.trailers = True
        self.block = render(kept)
        self.count = len(kept)
        self.forwarded_for = forwarded_for
        self.forwarded_proto = forwarded_proto
        self.forwarded_host = forwarded_host


def _text(fields: Fields) -> bytes:
    """Lines, each with its end."""
    return b"\r\n".join((*map(b": ".join, fields), b""))


def _pass_on(question: tuple[frozenset[bytes], tuple[tuple[bytes, bytes], ...]]) -> tuple[Passed, int]:
    removed, fields = question
    passed = Passed(without_named(fields, removed) if removed else fields, _text)
    return passed, size_of(fields) + len(passed.block)


# By a pair of the names of fields that a module takes away, and of a request's fields.
_PASSED = Memo(_pass_on)

_NOTHING: frozenset[bytes] = frozenset()

# Ways to take fields out of the same header that are kept: one for each route that does so.
_PASSED_MAX = 4


class Told:
    """
    The fields of a request as the visitor sent them, with what was worked out of them. It is shared by all requests that came
    with the same bytes, and never changed.

    :ivar fields: ``(name, value)`` pairs, in order.
    :ivar authority: what they say of the host, with its port.
    """

    __slots__ = ("fields", "authority", "_named", "_passed", "_rest", "_rest_for", "_worked_out")

    fields: tuple[tuple[bytes, bytes], ...]
    authority: bytes

    def __init__(self) -> None:
        self._named: dict[bytes, bytes] | None = None
        self._passed: dict[frozenset[bytes], Passed] = {}
        self._rest = b""
        self._rest_for: tuple[Any, ...] = ()
        self._worked_out: dict[Any, Any] | None = None

    def work_out(self, function: Callable[[Sequence[tuple[bytes, bytes]]], T]) -> T:
        """
        What a pure function makes of the fields; it is asked once.

        :param function: of a module, so that there are few of them. What it makes is small and shared, and must not be changed.
        """
        known = self._worked_out
        if known is None:
            known = self._worked_out = {}
        if function not in known:
            known[function] = function(self.fields)
        made: T = known[function]
        return made

    def last(self, name: bytes) -> bytes | None:
        """
        The last value of a field, or ``None``.

        :param name: in lower case.
        """
        if self._named is None:
            self._named = {field[0].lower(): field[1] for field in self.fields}
        return self._named.get(name)

    def passed(self, removed: frozenset[bytes]) -> Passed:
        """
        What of the fields goes upstream.

        :param removed: names of fields that a module takes away, in lower case.
        """
        known = self._passed.get(removed)
        if known is None:
            if len(self._passed) >= _PASSED_MAX:
                self._passed.clear()
            fields = without_named(self.fields, removed) if removed else self.fields
            known = self._passed[removed] = Passed(fields, _text)
        return known

    def request_head(
        self, method: bytes, target: bytes, peer: str, proto: str, rewritten_host: str, edit: HeadEdit | None
    ) -> bytes:
        """
        What `request_head` says for a request without a body.

        What stands behind the target is kept for the visitor who came last: most have a cookie, and so a header, of their own.

        :param method: as it was read, and found to be one.
        :param target: likewise.
        :param edit: of modules; it leaves ``Host`` as it is.
        """
        circumstances = (peer, proto, rewritten_host, _NOTHING if edit is None else edit.removed)
        if circumstances != self._rest_for:
            self._rest = self._behind_target(*circumstances)
            self._rest_for = circumstances
        if edit is None or not edit.added:
            return b"".join((method, b" ", target, self._rest, b"\r\n\r\n"))
        lines = lines_of_edit(edit)
        if _NUL in lines:
            raise MalformedMessage("a NUL in a field")
        return b"".join((method, b" ", target, self._rest, lines, b"\r\n\r\n"))

    def _behind_target(self, peer: str, proto: str, rewritten_host: str, removed: frozenset[bytes]) -> bytes:
        head = request_head(
            b"GET",
            b"/",
            self.fields,
            host=self.authority,
            rewritten_host=rewritten_host.encode("ascii"),
            peer=peer.encode("ascii"),
            proto=proto.encode("ascii"),
            length=0,
            upgrade=b"",
            expects_continue=False,
            edit=HeadEdit(removed) if removed else None,
            told=self,
        )
        return head[len(b"GET /") : -len(b"\r\n\r\n")]


# What the edge adds, in the order in which it stands behind the visitor's fields.
FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")


def request_head(
    method: bytes,
    target: bytes,
    fields: Sequence[tuple[bytes, bytes]],
    *,
    host: bytes,
    rewritten_host: bytes,
    peer: bytes,
    proto: bytes,
    length: int | None,
    upgrade: bytes,
    expects_continue: bool,
    edit: HeadEdit | None = None,
    told: Told | None = None,
) -> bytes:
    """
    The head of the request as the upstream gets it.

    :param target: origin-form, as the visitor sent it.
    :param fields: the visitor's, after the modules.
    :param host: the visitor's ``Host``.
    :param rewritten_host: what to send instead, or empty.
    :param peer: the visitor's address.
    :param proto: ``https`` or ``http``.
    :param length: of the body in bytes; ``None`` for chunked.
    :param upgrade: the protocol to upgrade to, or empty.
    :param edit: what modules change in all of it but the framing.
    :param told: whose fields these are, if nobody changed them.
    :raises MalformedMessage: a part of it would be read as something else. What visitors send was checked where it came in, for
        whichever version they speak, so that it came from a module.
    """
    if _SPACE in target or (method not in _METHODS and TOKEN.fullmatch(method) is None):
        raise MalformedMessage("a request line that HTTP/1.1 cannot carry")
    removed = _NOTHING if edit is None else edit.removed
    passed = told.passed(removed) if told is not None else _PASSED[removed, tuple(fields)]
    forwarded_for, forwarded_proto = passed.forwarded_for, passed.forwarded_proto
    lines = [
        method + b" " + target + b" HTTP/1.1",
        b"Host: " + (rewritten_host or host),
        passed.block + b"X-Forwarded-For: " + (forwarded_for + b", " + peer if forwarded_for else peer),
        b"X-Forwarded-Proto: " + (forwarded_proto + b", " + proto if forwarded_proto else proto),
        b"X-Forwarded-Host: " + (passed.forwarded_host or host),
    ]
    if edit is not None:
        _apply(edit, lines, passed.block)
    if length or length is None:
        lines.append(_framing(length))
    elif passed.has_length:
        lines.append(b"Content-Length: 0")
    if upgrade:
        lines.append(b"Connection: Upgrade, TE" if passed.trailers else b"Connection: Upgrade")
        lines.append(b"Upgrade: " + upgrade)
    elif passed.trailers:
        lines.append(b"Connection: TE")
    if expects_continue:
        lines.append(b"Expect: 100-continue")
    return joined(lines, passed.count)


def _apply(edit: HeadEdit, lines: list[bytes], block: bytes) -> None:
    """
    Change the lines of a head: the request line, ``Host``, and those of `FORWARDED`, the first of them behind the block.
    """
    if edit.host:
        lines[1] = b"Host: " + edit.host
    if not edit.removed.isdisjoint(FORWARDED):
        forwarded = (lines[2][len(block) :], lines[3], lines[4])
        kept = [line for name, line in zip(FORWARDED, forwarded) if name not in edit.removed]
        if kept:
            kept[0] = block + kept[0]
        elif block:
            lines[1] += b"\r\n" + block[:-2]
        lines[2:] = kept
    lines += [name + b": " + value for name, value in edit.added]


def _framing(length: int | None) -> bytes:
    return b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length


def joined(lines: list[bytes], more: int = 0) -> bytes:
    """
    Lines made into a head.

    :param more: how many lines more there are than elements, since some hold several.
    :raises MalformedMessage: one of them holds a line end, and would be read as two; or a NUL, where some readers stop.
    """
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    ends = len(lines) + 1 + more
    if head.count(b"\n") != ends or head.count(b"\r") != ends or _NUL in head:
        raise MalformedMessage("line end in a field")
    return head


def lines_of(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """
    The lines of fields, each with a line end *before* it.

    :raises MalformedMessage: one would be read as more than one line.
    """
    block = b"".join([b"\r\n%b: %b" % field for field in fields])
    if block.count(b"\n") != len(fields) or block.count(b"\r") != len(fields):
        raise MalformedMessage("line end in a field")
    return block


def lines_of_edit(edit: HeadEdit) -> bytes:
    """
    The lines of the fields that an edit adds, as `lines_of` has them; they are made once.

    :raises MalformedMessage: see `lines_of`.
    """
    lines = edit.lines
    if lines is None:
        lines = edit.lines = lines_of(edit.added)
    return lines


def _lines(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, int]:
    block = lines_of(fields)
    return block, size_of(fields) + len(block)


FIELD_LINES = Memo(_lines)
"""
`lines_of` fields that come again and again, by a tuple of ``(name, value)``.
"""


def without_named(fields: Iterable[tuple[bytes, bytes]], named: AbstractSet[bytes]) -> Fields:
    """
    The fields without those that ``Connection`` names.

    This is done where a message comes in, before modules add theirs: a visitor must not be able to take away a header
    that the edge vouches for by naming it.
    """
    return [(name, value) for name, value in fields if name.lower() not in named]
