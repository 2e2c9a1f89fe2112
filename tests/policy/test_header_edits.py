"""
Tests for `ngrok_twisted.policy.header_edits`.
"""

from __future__ import annotations

from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.facts import Facts
from ngrok_twisted.policy.header_edits import EDIT_KEPT_BYTES, EDITS_KEPT, QUESTIONS_KEPT, HeaderEdits
from ngrok_twisted.policy.header_rules import HeaderMap
from ngrok_twisted.policy.variables import VARIABLES
from ngrok_twisted.wrapper import ResponseHead
from tests.policy.asked import asked


def edits(remove: tuple[str, ...] = (), **add: str) -> HeaderEdits:
    """Made from a config."""
    made = HeaderMap(add=add, remove=remove)
    return HeaderEdits(made.added(), made.remove)


def answered(status: int, method: bytes = b"GET") -> ResponseHead:
    """The head of a response, as filters see it."""
    head = ResponseHead(status, b"", [], 0)
    head.request = asked()
    head.request.method = method
    return head


class HeaderEditsTests(SynchronousTestCase):
    """Headers to add and to remove."""

    def test_fixed(self) -> None:
        """What depends on nothing is worked out once."""
        made = edits(("X-B",), A="1", B="$${é}", C="${nonsense}", D="${res.status_code}")
        edit = made.edit(asked())
        self.assertEqual(edit.removed, {b"x-b"})
        self.assertEqual(list(edit.added), [(b"a", b"1"), (b"b", "${é}".encode()), (b"c", b""), (b"d", b"")])
        again = made.edit(asked(b"/x"))
        self.assertEqual(again.added, edit.added)
        self.assertIs(made.edit(asked()), again)

    def test_templates(self) -> None:
        """What depends on the request is worked out for each that differs in it."""
        made = edits(a="1", b="<${req.url.path}>")
        edit = made.edit(asked(b"/x%0d%0ay"))
        self.assertEqual(list(edit.added), [(b"a", b"1"), (b"b", b"</x  y>")])
        again = made.edit(asked(b"/x%0d%0ay"))
        self.assertEqual(again.added, edit.added)
        self.assertIs(made.edit(asked(b"/x%0d%0ay", b"X-A: 1")), again)
        self.assertEqual(list(made.edit(asked(b"/z")).added), [(b"a", b"1"), (b"b", b"</z>")])

    def test_each_request(self) -> None:
        """What may differ from request to request, whatever they say, is worked out for each."""
        made = edits(a="${req.method} ${.http.request_id}")
        first, second = made.edit(asked()), made.edit(asked())
        self.assertNotEqual(first.added, second.added)

    def test_partly(self) -> None:
        """Where some of the fields may differ from request to request, the others are right, and in their order."""
        made = edits(a="${req.method}", b="${.http.request_id}", c="${req.url.path}", d="4", e="${req.headers['x'][0]}")
        for path in (b"/1", b"/1", b"/2", b"/1", b"/2", b"/2", b"/3"):
            request = asked(path, b"X: " + path)
            number = b"rq_%x_%d" % (int(request.flow.started * 1_000_000), request.flow.number)
            expected = [(b"a", b"GET"), (b"b", number), (b"c", path), (b"d", b"4"), (b"e", path)]
            self.assertEqual(list(made.edit(request).added), expected)
            self.assertFalse(made.edit(request).lasting)
        self.assertEqual(len(made._known), 3)

    def test_response(self) -> None:
        """A response's change depends on both heads, as they are by then."""
        made = HeaderEdits(HeaderMap(add={"a": "${req.method} ${res.status_code}"}).added(), (), has_response=True)
        for head, value in (
            (answered(200), b"GET 200"),
            (answered(404), b"GET 404"),
            (answered(404, b"PUT"), b"PUT 404"),
        ):
            for _ in range(2):
                self.assertEqual(list(made.edit(head).added), [(b"a", value)])
        self.assertIs(made.edit(answered(404)), made.edit(answered(404)))

    def test_bounds(self) -> None:
        """What is asked for twice is remembered; what is remembered is bounded in number and in size."""
        made = edits(a="${req.url.path}")
        request = asked()
        for number in range(2 * QUESTIONS_KEPT):
            request.uri = b"/%d" % (number // 2)
            self.assertEqual(list(made.edit(request).added), [(b"a", request.uri)])
            self.assertEqual(len(made._known) > 0, number > 0)
            self.assertLessEqual(len(made._known), EDITS_KEPT)
        kept = len(made._known)
        for number in range(2 * QUESTIONS_KEPT):
            request.uri = b"/once/%d" % number
            made.edit(request)
            self.assertLessEqual(len(made._asked), QUESTIONS_KEPT)
        request.uri = b"/" + b"x" * EDIT_KEPT_BYTES
        for _ in range(3):
            self.assertEqual(list(made.edit(request).added), [(b"a", request.uri)])
        self.assertEqual(len(made._known), kept)

    def test_variables(self) -> None:
        """A variable that says what it depends on has the same value for any other request that is the same in that."""
        request = asked(b"/a?b=c", b"User-Agent: x")
        request.flow.peer_host, request.flow.backend_id = "192.0.2.7", "bkd_1"
        for name, variable in VARIABLES.items():
            before = variable.read(Facts(request, answered(200)))
            depends = [path.removeprefix("request.") for path in variable.of if path.startswith("request.")]
            if not variable.of:
                continue
            changed = asked(b"/d?e=f", b"User-Agent: y", host=b"b.example:1")
            for path in depends:
                *way, last = path.split(".")
                source, target = request, changed
                for step in way:
                    source, target = getattr(source, step), getattr(target, step)
                hash(getattr(source, last))
                setattr(target, last, getattr(source, last))
            self.assertEqual(variable.read(Facts(changed, answered(200))), before, name)

    def test_warnings(self) -> None:
        """The operator reads which names mean nothing, or nothing here."""
        seen: list[str] = []

        def note(event: dict[str, object]) -> None:
            if event["log_level"] is LogLevel.warn:
                seen.append(str(event["name"]))

        globalLogPublisher.addObserver(note)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, note)  # type: ignore[arg-type]
        text = "${nonsense} ${req.method.more} ${.req.method} ${res.status_code} ${compression.algorithm}"
        made, made_of = edits(a=text), HeaderMap(add={"a": text}).added()
        made.warn("request_headers", "ac_1")
        self.assertEqual(seen, ["nonsense", "req.method.more", "res.status_code", "compression.algorithm"])
        seen.clear()
        HeaderEdits(made_of, (), has_response=True).warn("response_headers", "ac_1")
        self.assertEqual(seen, ["nonsense", "req.method.more"])
