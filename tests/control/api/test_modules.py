"""
Tests for `ngrok_twisted.control.api.modules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ngrok_twisted import schema
from ngrok_twisted.control.api import modules
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.modules import given_slots, holder_view_type, slot_codes, slots, view, view_type
from ngrok_twisted.describe import describe
from ngrok_twisted.records.edge import BackendRef, HTTPSEdgeRoute, module, module_type
from tests.control.api.harness import BASE_URL, APITestCase, principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """
    :ivar user: who.
    :ivar password: the secret.
    """

    user: str
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConfig:
    """
    :ivar size: how much.
    :ivar client_id: of somebody else; no reference.
    :ivar certificate_authority_ids: whom to trust.
    :ivar ip_policy_id: one policy.
    :ivar secret: not to be told.
    :ivar logins: several.
    """

    size: int = 1
    client_id: str = ""
    certificate_authority_ids: tuple[str, ...] = ()
    ip_policy_id: str = ""
    secret: str = field(default="", repr=False)
    logins: tuple[Login, ...] = ()
    by_name: Mapping[str, Login] = field(default_factory=dict)


class NewKind:
    """Somebody's own module. It does nothing."""

    name = "new"
    Config = NewConfig
    codes = {"size": 7777}
    attaches = frozenset({"route"})


class NewKindTests(APITestCase):
    """A module kind that nobody here has heard of is shown like the others."""

    def setUp(self) -> None:
        super().setUp()
        self.call = Call(parts=self.api.parts, principal=principal(), base_url=BASE_URL)
        self.patch(modules, "module_kinds", lambda place: {"new": NewKind} if place in NewKind.attaches else {})
        slots.cache_clear()
        self.addCleanup(slots.cache_clear)

    def test_slot(self) -> None:
        """It has a slot where it attaches, and only there."""
        slot = slots("route")["new"]
        self.assertEqual((slot.name, slot.doc), ("new", "Somebody's own module."))
        self.assertIs(slot.body, module_type(NewConfig))
        self.assertNotIn("new", slots("tls"))
        self.assertEqual(slot_codes("route")["new.size"], 7777)

    def test_put(self) -> None:
        """It is put into a route and taken out of it, beside others."""
        slot, made = slots("route")["new"], module(NewConfig(size=2))
        route = slot.put(HTTPSEdgeRoute(modules={"other": made}), made)
        self.assertEqual(slot.get(route), made)
        self.assertEqual(slot.put(route, None), HTTPSEdgeRoute(modules={"other": made}))
        backend = slots("route")["backend"]
        reference = BackendRef(backend_id="bkdtg_1")
        self.assertEqual(backend.put(route, reference).backend, reference)
        self.assertIsNone(backend.get(backend.put(route, None)))

    def test_view(self) -> None:
        """Ids become references where their names say so, and secrets become empty."""
        config = NewConfig(
            client_id="me",
            certificate_authority_ids=("ca_1", "ca_2"),
            ip_policy_id="ipp_1",
            secret="geheim",
            logins=(Login(user="u", password="geheim"),),
            by_name={"a": Login(user="v", password="geheim")},
        )
        shown = schema.dump(view(self.call, module(config, enabled=False)))
        refs = [{"id": id, "uri": f"{BASE_URL}/certificate_authorities/{id}"} for id in ("ca_1", "ca_2")]
        self.assertEqual(
            shown,
            {
                "enabled": False,
                "size": 1,
                "client_id": "me",
                "certificate_authorities": refs,
                "ip_policy": {"id": "ipp_1", "uri": f"{BASE_URL}/ip_policies/ipp_1"},
                "secret": "",
                "logins": [{"user": "u", "password": ""}],
                "by_name": {"a": {"user": "v", "password": ""}},
            },
        )

    def test_no_reference(self) -> None:
        """A reference that is not set is null."""
        self.assertIsNone(schema.dump(view(self.call, module(NewConfig())))["ip_policy"])

    def test_described(self) -> None:
        """Its fields are told with their meanings, as they are written and as they are read."""
        shape = describe(view_type(NewConfig))["properties"]
        self.assertEqual(shape["size"], {"type": "integer", "description": "how much."})
        self.assertEqual(shape["certificate_authorities"]["description"], "whom to trust.")
        self.assertEqual(describe(module_type(NewConfig))["properties"]["enabled"]["default"], True)

    def test_holder(self) -> None:
        """What it stands in shows it."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Base:
            """Something with modules."""

            id: str

        shape: Any = describe(holder_view_type("HolderView", Base, "route"))["properties"]
        self.assertEqual(shape["new"]["type"], "object")
        self.assertEqual(shape["new"]["description"], "Somebody's own module. Null if it is not set.")

    def test_given(self) -> None:
        """What a PATCH gives replaces what was there; what it does not give stays."""
        old, new = module(NewConfig(size=1, client_id="x")), module(NewConfig(size=2))
        route = HTTPSEdgeRoute(modules={"a": old, "b": old}, backend=BackendRef(backend_id="one"))
        body = HTTPSEdgeRoute(modules={"b": new})
        self.assertEqual(given_slots(route, body).modules, {"a": old, "b": new})
        self.assertEqual(given_slots(route, body).backend, BackendRef(backend_id="one"))
