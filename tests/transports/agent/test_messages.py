"""
Tests for `ngrok_twisted.transports.agent.messages`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis.strategies import fixed_dictionaries
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.agent.messages import (
    Auth,
    Bind,
    PatchTunnelState,
    StartTunnelWithLabel,
    Unbind,
    read_auth,
    read_bind,
    read_labelled,
    read_outcome,
    read_patch,
    read_unbind,
)
from tests.transports.agent.said import (
    AUTH_GO,
    AUTH_RUST,
    AUTH_V2,
    OPTS_RUST_17,
    OPTS_V2,
    anything,
    bind,
    bind_v2,
    objects,
)


def auth(**extra: Any) -> Auth:
    """A login that says this of itself."""
    return read_auth({"Version": ["3"], "Extra": extra})


class MessagesCase(SynchronousTestCase):
    """Base of tests of readers."""

    def assertRefused(self, code: int, read: Any, message: Any) -> None:
        """The reader refuses with this number."""
        refused = self.assertRaises(Refused, read, message)
        self.assertEqual(refused.code, code, message)


class AuthTests(MessagesCase):
    """Logins."""

    def test_rust(self) -> None:
        """What the Rust SDKs say."""
        expected = Auth(
            protocol="3",
            authtoken="2secret_token",
            version="1.7.0",
            client_type="ngrok-python",
            user_agent="app/9.9 (comment) ngrok-python/1.7.0 ngrok-rust/0.18.0",
            os="linux",
            metadata="meta",
            interval=10.0,
            tolerance=15.0,
            stop_unsupported="",
            restart_unsupported="the agent has not defined a callback for this operation",
        )
        self.assertEqual(read_auth(AUTH_RUST), expected)
        self.assertEqual(expected.agent_version, "ngrok-python 1.7.0")

    def test_v2(self) -> None:
        """What the v2 agent says when it comes back."""
        expected = Auth(
            protocol="2",
            client_id="ts_1",
            authtoken="2secret_token",
            cookie="secret-cookie",
            version="2.3.41",
            user_agent="ngrok/2",
            os="linux",
            stop_unsupported="",
            restart_unsupported="",
            update_unsupported="",
        )
        self.assertEqual(read_auth(AUTH_V2), expected)
        self.assertEqual(expected.agent_version, "2.3.41")

    def test_go(self) -> None:
        """What ngrok-go says of a further connection; heartbeats have their defaults."""
        found = read_auth(AUTH_GO)
        self.assertEqual((found.leg, found.interval, found.tolerance), (1, 10.0, 15.0))
        self.assertIsNone(found.stop_unsupported)

    def test_secrets(self) -> None:
        """Neither token nor cookie is shown."""
        self.assertNotIn("secret", repr(read_auth(AUTH_RUST)) + repr(read_auth(AUTH_V2)))

    def test_least(self) -> None:
        """Nothing but a version is needed to be understood."""
        self.assertEqual(read_auth({"version": ["2"]}), Auth(protocol="2"))

    def test_versions(self) -> None:
        """The first version counts that is spoken here; without one there is no talking."""
        self.assertEqual(read_auth({"Version": ["4", "2", "3"]}).protocol, "2")
        for versions in ([], ["4"], ["1", ""], None):
            self.assertRefused(811, read_auth, {"Version": versions})

    def test_heartbeats(self) -> None:
        """Seconds from nanoseconds; 0 is the default; out of bounds is refused with the number of each."""
        found = auth(HeartbeatInterval=2_500_000_000, HeartbeatTolerance=500_000_000)
        self.assertEqual((found.interval, found.tolerance), (2.5, 0.5))
        found = auth(HeartbeatInterval=0, HeartbeatTolerance=0)
        self.assertEqual((found.interval, found.tolerance), (10.0, 15.0))
        hour = 3_600_000_000_000
        self.assertEqual(auth(HeartbeatInterval=hour, HeartbeatTolerance=hour).interval, 3600.0)
        for interval in (-1, 1, 99_999_999, hour + 1, 10**30):
            self.assertRefused(111, read_auth, {"Version": ["3"], "Extra": {"HeartbeatInterval": interval}})
        for tolerance in (-1, hour + 1):
            self.assertRefused(112, read_auth, {"Version": ["3"], "Extra": {"HeartbeatTolerance": tolerance}})

    def test_legs(self) -> None:
        """There are not more connections than anybody opens."""
        self.assertEqual(auth(LegNumber=63).leg, 63)
        for leg in (-1, 64, 1.0, True, "1"):
            self.assertRefused(109, read_auth, {"Version": ["3"], "Extra": {"LegNumber": leg}})

    def test_shown(self) -> None:
        """What is only shown is one line, and not endless."""
        found = auth(OS="li\nnux", UserAgent="x" * 1000)
        self.assertEqual((found.os, len(found.user_agent)), ("li?nux", 255))

    def test_metadata(self) -> None:
        """Metadata has at most 4096 bytes, whatever they are."""
        self.assertEqual(auth(Metadata="\n" * 4096).metadata, "\n" * 4096)
        self.assertRefused(100, read_auth, {"Version": ["3"], "Extra": {"Metadata": "é" * 2049}})

    def test_wrong(self) -> None:
        """Members of another shape."""
        for message in (
            None,
            [],
            {"Version": "3"},
            {"Version": [3]},
            {"Version": ["3"], "ClientId": 1},
            {"Version": ["3"], "ClientId": "x" * 256},
            {"Version": ["3"], "Extra": []},
            {"Version": ["3"], "Extra": {"Authtoken": 1}},
            {"Version": ["3"], "Extra": {"HeartbeatInterval": "10s"}},
            {"Version": ["3"], "Extra": {"StopUnsupportedError": False}},
        ):
            self.assertRefused(109, read_auth, message)


class BindTests(MessagesCase):
    """Wishes for endpoints."""

    def test_rust(self) -> None:
        """What the Rust SDKs say, and what they say when they come back."""
        message = bind(
            "https", OPTS_RUST_17, "tn_1", Token="secret", Metadata="m", Bindings=["public"], PoolingEnabled=True
        )
        expected = Bind(
            proto="https",
            id="tn_1",
            token="secret",
            opts=OPTS_RUST_17,
            forwards_to="http://127.0.0.1:8000/",
            metadata="m",
            bindings=("public",),
            pooling=True,
        )
        self.assertEqual(read_bind(message), expected)

    def test_v2(self) -> None:
        """What the v2 agent says."""
        expected = Bind(proto="http", opts=OPTS_V2, ip_policy="ipp_1")
        self.assertEqual(read_bind(bind_v2("http", OPTS_V2, ip_policy="ipp_1")), expected)

    def test_go(self) -> None:
        """What only ngrok-go says."""
        extra = {"Name": "n", "Description": "d", "Bindings": None}
        found = read_bind({"Proto": "TLS", "ForwardsProto": "http2", "Extra": extra})
        self.assertEqual(found, Bind(proto="tls", forwards_proto="http2", name="n", description="d"))

    def test_secrets(self) -> None:
        """Neither the token nor what is in the options is shown."""
        found = read_bind(bind("https", {"Auth": "user:secret"}, Token="secret"))
        self.assertNotIn("secret", repr(found))

    def test_long(self) -> None:
        """What is too long is refused; what is only shown is cut off."""
        self.assertEqual(len(read_bind({"ForwardsTo": "x" * 9999}).forwards_to), 2048)
        for code, extra in (
            (100, {"Metadata": "x" * 4097}),
            (301, {"Name": "x" * 256}),
            (301, {"Description": "a\nb"}),
        ):
            self.assertRefused(code, read_bind, {"Extra": extra})

    def test_wrong(self) -> None:
        """Members of another shape."""
        for message in (
            "a",
            {"Proto": 1},
            {"Id": []},
            {"Id": "a\nb"},
            {"Id": "x" * 65},
            {"Opts": []},
            {"Opts": "x"},
            {"Extra": "x"},
            {"Extra": {"Bindings": "public"}},
            {"Extra": {"PoolingEnabled": "true"}},
            {"Extra": {"IPPolicyRef": 1}},
        ):
            self.assertRefused(301, read_bind, message)


class OtherTests(MessagesCase):
    """The other requests."""

    def test_unbind(self) -> None:
        """An id, and from the v2 agent nothing more."""
        self.assertEqual(read_unbind({"Id": "tn_1", "Extra": None}), Unbind(id="tn_1"))
        self.assertEqual(read_unbind({}), Unbind(id=""))
        self.assertRefused(801, read_unbind, {"Id": 1})

    def test_labelled(self) -> None:
        """A labelled tunnel of the Rust SDKs; the case of labels counts."""
        message = {
            "Labels": {"edge": "edghts_1", "App": "x"},
            "ForwardsTo": "localhost:80",
            "ForwardsProto": "http2",
            "Metadata": "m",
        }
        expected = StartTunnelWithLabel(
            labels={"edge": "edghts_1", "App": "x"}, forwards_to="localhost:80", forwards_proto="http2", metadata="m"
        )
        self.assertEqual(read_labelled(message), expected)
        for labels in ([], {"a": 1}, "a=b"):
            self.assertRefused(301, read_labelled, {"Labels": labels})

    def test_patch(self) -> None:
        """What is absent does not change; what is empty does."""
        self.assertEqual(read_patch({"TunnelId": "tn_1"}), PatchTunnelState(id="tn_1"))
        message = {
            "TunnelId": "tn_1",
            "Name": "",
            "Description": "d",
            "Metadata": "m",
            "PoolingEnabled": False,
            "TrafficPolicy": "secret",
        }
        expected = PatchTunnelState(
            id="tn_1", name="", description="d", metadata="m", pooling=False, traffic_policy="secret"
        )
        self.assertEqual(read_patch(message), expected)
        self.assertNotIn("secret", repr(expected))
        for code, change in ((801, {"TrafficPolicy": {}}), (801, {"Name": 1}), (100, {"Metadata": "x" * 4097})):
            self.assertRefused(code, read_patch, change)

    def test_outcome(self) -> None:
        """What an agent says of a command."""
        for message, said in (
            ({}, ""),
            ({"Error": ""}, ""),
            ({"error": "no"}, "no"),
            ({"Error": "x" * 300}, "x" * 255),
        ):
            self.assertEqual(read_outcome(message), said)
        for message in ([], {"Error": 1}):
            self.assertNotEqual(read_outcome(message), "")


class AnythingTests(SynchronousTestCase):
    """Whatever an agent says is understood or refused."""

    def check(self, read: Any, message: Any) -> None:
        """The reader gives a value, or refuses with a number and a sentence."""
        try:
            repr(read(message))
        except Refused as refused:
            self.assertIsNotNone(refused.code)
            self.assertTrue(refused.message)

    @given(anything)
    def test_anything(self, message: Any) -> None:
        """Any value at all."""
        for read in (read_auth, read_bind, read_unbind, read_labelled, read_patch, read_outcome):
            self.check(read, message)

    @given(
        fixed_dictionaries(
            {"Extra": objects("HeartbeatInterval", "LegNumber", "Metadata", "Os", "stopUnsupportedError")}
        )
    )
    def test_auth(self, message: Any) -> None:
        """Logins with members of any shape."""
        self.check(read_auth, {"Version": ["3"], **message})

    @given(
        objects("Id", "Proto", "Opts", "ForwardsTo"), objects("Token", "Bindings", "Metadata", "PoolingEnabled", "Name")
    )
    def test_bind(self, message: Any, extra: Any) -> None:
        """Binds with members of any shape."""
        self.check(read_bind, {**message, "Extra": extra})

    @given(
        objects(
            "TunnelId", "Name", "Description", "Metadata", "PoolingEnabled", "TrafficPolicy", "Labels", "ForwardsTo"
        )
    )
    def test_rest(self, message: Any) -> None:
        """Changes and labelled tunnels with members of any shape."""
        self.check(read_patch, message)
        self.check(read_labelled, message)
