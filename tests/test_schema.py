"""
Tests of `ngrok_twisted.schema`, with the marks of `ngrok_twisted.marks`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Mapping

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.marks import EXTERNAL, ONE_OR_MANY, READ_ONLY, REST, ByName, ChosenBy
from ngrok_twisted.records.base import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class MaybeElsewhere:
    token: Annotated[str | None, EXTERNAL] = None


@dataclass(frozen=True)
class Range:
    """Something that is written as text."""

    low: int
    high: int

    @classmethod
    def from_text(cls, text: str) -> Range:
        low, _, high = text.partition("-")
        return cls(int(low), int(high))

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """Something inside."""

    size: int
    word: str = ""

    def __post_init__(self) -> None:
        if self.size < 0:
            raise InvalidConfig([Problem("size", "must not be negative")])
        if self.word == "bad":
            raise ValueError("this does not fit")


def inner_types() -> Mapping[str, Any]:
    """Types by name, as kinds are."""
    return {"inner": Inner, "numbers": tuple[int, ...]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """Everything that the schema knows."""

    family: ClassVar[str] = "outer"

    name: str
    count: int = 0
    share: float = 0.0
    on: bool = False
    maybe: Inner | None = None
    level: Literal["low", "high"] = "low"
    items: tuple[Inner, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    names: Annotated[tuple[str, ...], ONE_OR_MANY] = ()
    either: int | tuple[int, ...] = 0
    ports: Range = Range(1, 2)
    token: Annotated[str, EXTERNAL] = field(default="", repr=False)
    id: Annotated[str, READ_ONLY] = ""
    kind: str = "inner"
    config: Annotated[Any, ChosenBy("kind", inner_types)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Something with the keys of kinds."""

    match: str = "/"
    modules: Annotated[Mapping[str, Any], ByName(inner_types, word="module", planned=frozenset({"oauth"})), REST] = (
        field(default_factory=dict)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """Something whose other keys are those of another dataclass."""

    title: str = ""
    config: Annotated[Inner, REST]


def said(cls: Any, data: Any, **options: Any) -> list[str]:
    """What is wrong with the data."""
    try:
        schema.parse(cls, data, **options)
    except InvalidConfig as error:
        return [str(problem) for problem in error.problems]
    return []


class ParseTests(SynchronousTestCase):
    """`parse`, where the data is right."""

    def test_defaults(self) -> None:
        """What is left out has its default."""
        self.assertEqual(schema.parse(Outer, {"name": "a"}), Outer(name="a"))

    def test_everything(self) -> None:
        """Each type takes the data that it is written in."""
        value = schema.parse(
            Outer,
            {
                "name": "a",
                "count": 3,
                "share": 1,
                "on": True,
                "maybe": {"size": 1},
                "level": "high",
                "items": [{"size": 2}],
                "labels": {"app": "web"},
                "names": ["x", "y"],
                "either": [1, 2],
                "ports": "5-9",
                "token": "t",
                "kind": "numbers",
                "config": [7],
            },
        )
        expected = Outer(
            name="a",
            count=3,
            share=1.0,
            on=True,
            maybe=Inner(size=1),
            level="high",
            items=(Inner(size=2),),
            labels={"app": "web"},
            names=("x", "y"),
            either=(1, 2),
            ports=Range(5, 9),
            token="t",
            kind="numbers",
            config=(7,),
        )
        self.assertEqual(value, expected)
        self.assertIs(type(value.share), float)

    def test_null(self) -> None:
        """Null is the same as leaving a key out."""
        data = {"name": "a", "count": None, "maybe": None, "items": None, "names": None}
        self.assertEqual(schema.parse(Outer, data), Outer(name="a"))

    def test_one(self) -> None:
        """A single value is a list of one, where that is said."""
        self.assertEqual(schema.parse(Outer, {"name": "a", "names": "x"}).names, ("x",))

    def test_external(self) -> None:
        """A text that stands elsewhere is read by who knows where; without one it is taken as it is."""
        data = {"name": "env:A", "token": "env:A"}
        value = schema.parse(Outer, data, external=lambda text: f"<{text}>")
        self.assertEqual((value.name, value.token), ("env:A", "<env:A>"))
        self.assertEqual(schema.parse(Outer, data).token, "env:A")

    def test_external_null(self) -> None:
        """Null is nothing that could stand elsewhere."""
        value = schema.parse(MaybeElsewhere, {"token": None}, external=lambda text: f"<{text}>")
        self.assertIsNone(value.token)

    def test_read_only(self) -> None:
        """What the server sets is accepted only from where the server wrote it."""
        self.assertEqual(schema.parse(Outer, {"name": "a", "id": "x"}, stored=True).id, "x")
        self.assertEqual(said(Outer, {"name": "a", "id": "x"}), ["id: is set by the server; take it out"])

    def test_rest(self) -> None:
        """The keys that no field names go to the field that takes the rest."""
        value = schema.parse(Chain, {"match": "/a", "inner": {"size": 1}, "numbers": [1]})
        self.assertEqual(value, Chain(match="/a", modules={"inner": Inner(size=1), "numbers": (1,)}))
        self.assertEqual(schema.parse(Flat, {"title": "t", "size": 3}), Flat(title="t", config=Inner(size=3)))

    def test_null_kind(self) -> None:
        """A key of a kind whose value is null is as good as left out."""
        self.assertEqual(
            schema.parse(Chain, {"inner": {"size": 1}, "numbers": None}), Chain(modules={"inner": Inner(size=1)})
        )


class ProblemTests(SynchronousTestCase):
    """`parse`, where the data is wrong."""

    def test_strict(self) -> None:
        """Nothing is taken for something that it is not."""
        cases: list[tuple[str, Any, str]] = [
            ("name", 1, "must be text, not a whole number; put it in quotes"),
            ("name", True, "must be text, not true or false; put it in quotes"),
            ("count", "3", "must be a whole number, not text"),
            ("count", True, "must be a whole number, not true or false"),
            ("count", 1.5, "must be a whole number, not a number with a fraction"),
            ("share", "1", "must be a number, not text"),
            ("on", "yes", "must be true or false, not text"),
            ("on", 1, "must be true or false, not a whole number"),
            ("maybe", [], "must be a mapping, not a list"),
            ("items", {"size": 1}, "must be a list, not a mapping"),
            ("labels", [], "must be a mapping, not a list"),
            ("either", "1", "must be a whole number or a list, not text"),
            ("ports", 3, "must be text, not a whole number; put it in quotes"),
            ("level", "hihg", "must be one of low, high; did you mean 'high'?"),
            ("level", 1, "must be one of low, high"),
        ]
        for key, value, message in cases:
            self.assertEqual(said(Outer, {"name": "a", key: value}), [f"{key}: {message}"])

    def test_all_at_once(self) -> None:
        """Every problem is reported, with its path."""
        data = {
            "items": [{"size": "1"}, {"siez": 1}, {"size": 1}],
            "labels": {"app": 1},
            "names": ["a", 2],
            "conut": 1,
            "maybe": {"size": 1, "zzz": 0},
        }
        self.assertEqual(
            said(Outer, data, path="edges[0]"),
            [
                "edges[0].name: is required",
                "edges[0].maybe.zzz: is not a known key; known here: size, word",
                "edges[0].items[0].size: must be a whole number, not text",
                "edges[0].items[1].size: is required",
                "edges[0].items[1].siez: is not a known key; did you mean 'size'?",
                "edges[0].labels.app: must be text, not a whole number; put it in quotes",
                "edges[0].names[1]: must be text, not a whole number; put it in quotes",
                "edges[0].conut: is not a known key; did you mean 'count'?",
            ],
        )

    def test_many(self) -> None:
        """Nobody is told of more problems than a person reads, however many there are."""
        self.assertEqual(len(said(Outer, {"name": "a", "names": [1] * 100_000})), schema.PROBLEMS_MAX)
        unknown = {f"key{number}": 1 for number in range(10_000)}
        self.assertEqual(len(said(Outer, {"name": "a", **unknown})), schema.PROBLEMS_MAX)

    def test_not_a_mapping(self) -> None:
        """A document that is a list is refused."""
        self.assertEqual(said(Outer, []), ["must be a mapping, not a list"])

    def test_own_checks(self) -> None:
        """What a dataclass refuses by itself is a problem at its path, or at that of its field."""
        data = {"name": "a", "items": [{"size": -1}, {"size": 1, "word": "bad"}], "ports": "x-y"}
        self.assertEqual(
            said(Outer, data),
            [
                "items[0].size: must not be negative",
                "items[1]: this does not fit",
                "ports: invalid literal for int() with base 10: 'x'",
            ],
        )

    def test_external(self) -> None:
        """A text that cannot be found elsewhere is a problem."""

        def fail(text: str) -> str:
            raise ValueError("there is no such file")

        self.assertEqual(said(Outer, {"name": "a", "token": "file:x"}, external=fail), ["token: there is no such file"])

    def test_secret(self) -> None:
        """No message repeats a value."""
        for key in ("token", "level", "ports", "config", "either"):
            self.assertNotIn("geheim", str(said(Outer, {"name": "a", key: {"x": "geheim"}})))

    def test_modules(self) -> None:
        """A module that is not there is refused: by a suggestion, or as one that this version lacks."""
        self.assertEqual(
            said(Chain, {"iner": {}, "oauth": {}, "macth": "/"}),
            [
                "iner: is not a known key or module; did you mean 'inner'?",
                "oauth: this module is not built into this version; take it out",
                "macth: is not a known key or module; did you mean 'match'?",
            ],
        )

    def test_flat(self) -> None:
        """Suggestions know the keys of both parts."""
        self.assertEqual(said(Flat, {"size": 1, "titel": ""}), ["titel: is not a known key; did you mean 'title'?"])

    def test_chosen(self) -> None:
        """A kind that this version does not know is refused."""
        self.assertEqual(
            said(Outer, {"name": "a", "kind": "x", "config": {}}), ["config: its kind is unknown to this version"]
        )

    def test_unknown_type(self) -> None:
        """A type that the schema does not know is an error of the programmer, not of the data."""
        self.assertRaises(TypeError, schema.parse, tuple[bytes, ...], ["x"])


_INNERS = strategies.builds(
    Inner, size=strategies.integers(0), word=strategies.text().filter(lambda word: word != "bad")
)
_OUTERS = strategies.builds(
    Outer,
    name=strategies.text(),
    count=strategies.integers(),
    share=strategies.floats(allow_nan=False, allow_infinity=False),
    on=strategies.booleans(),
    maybe=strategies.none() | _INNERS,
    level=strategies.sampled_from(("low", "high")),
    items=strategies.lists(_INNERS, max_size=3).map(tuple),
    labels=strategies.dictionaries(strategies.text(), strategies.text(), max_size=3),
    names=strategies.lists(strategies.text(), max_size=3).map(tuple),
    either=strategies.integers() | strategies.lists(strategies.integers(), max_size=2).map(tuple),
    ports=strategies.builds(Range, strategies.integers(0), strategies.integers(0)),
    token=strategies.text(),
    id=strategies.text(),
    config=_INNERS,
)


class DumpTests(SynchronousTestCase):
    """`dump`."""

    @given(_OUTERS)
    def test_round_trip(self, value: Outer) -> None:
        """What was dumped, and went through JSON, is parsed to an equal value."""
        data = json.loads(json.dumps(schema.dump(value)))
        self.assertEqual(schema.parse(Outer, data, stored=True), value)

    def test_rest(self) -> None:
        """The rest stands beside the other keys, as it was written."""
        value = Chain(modules={"inner": Inner(size=1)})
        self.assertEqual(schema.dump(value), {"match": "/", "inner": {"size": 1, "word": ""}})
        self.assertEqual(schema.parse(Chain, schema.dump(value)), value)

    @given(strategies.text())
    def test_seal(self, token: str) -> None:
        """Secret texts, and only those, are sealed on the way out and opened on the way in."""
        value = Outer(name="a", token=token)
        data = schema.dump(value, seal=lambda text: f"sealed {text}")
        self.assertEqual((data["name"], data["token"]), ("a", f"sealed {token}"))
        opened = schema.parse(Outer, data, stored=True, reveal=lambda text: text.removeprefix("sealed "))
        self.assertEqual(opened, value)

    def test_without_secrets(self) -> None:
        """Secrets can be left out."""
        self.assertNotIn("token", schema.dump(Outer(name="a", token="t"), secrets=False))
