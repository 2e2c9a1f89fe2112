"""
Tests for `ngrok_twisted.edge.chain`. That chains stand where they should on a live edge is in ``test_declared``.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.edge.chain import Chain
from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, ITLSModule
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.edge import Module
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.wrapper import Phase


class _Kind:
    def __init__(self, config: Any, runtime: Any) -> None:
        self.config = config
        self.runtime = runtime


@implementer(IHTTPModule)
class Requests(_Kind):
    """Looks at requests."""

    name = "requests"
    phase = Phase.PREPARE

    def wrap_resource(self, inner: Any) -> Any:
        return f"{self.config}({inner})"


@implementer(IConnectionModule)
class Connections(_Kind):
    """Looks at connections."""

    name = "connections"
    phase = Phase.ADMIT

    def wrap_factory(self, inner: Any) -> Any:
        return f"{self.config}({inner})"


@implementer(ITLSModule)
class Handshakes(_Kind):
    """Takes part in the handshake."""

    name = "handshakes"
    phase = Phase.ADMIT

    def amend(self, options: TLSOptions) -> TLSOptions:
        return TLSOptions(alpn=(*options.alpn, self.config))


class OtherRequests(Requests):
    """Of the same phase as another."""

    name = "other"


class EarlyRequests(Requests):
    """Of an earlier phase."""

    name = "zz_early"
    phase = Phase.ADMIT


KINDS = {kind.name: kind for kind in (Requests, Connections, Handshakes, OtherRequests, EarlyRequests)}
RUNTIME = Runtime(reactor=Clock(), random=Random(1))


class ChainTests(SynchronousTestCase):
    """Modules wrap what they protect."""

    def chain(self, **configs: Any) -> Chain:
        modules = {name: Module(config=config) for name, config in configs.items()}
        return Chain(modules, KINDS, ModuleContext(runtime=RUNTIME))

    def test_order(self) -> None:
        """The earlier phase is outermost; within one the name decides, whatever the configuration's order."""
        chain = self.chain(requests="r", zz_early="e", other="o", connections="c")
        self.assertEqual(chain.around_resource("x"), "e(o(r(x)))")
        self.assertEqual(self.chain(other="o", requests="r", zz_early="e").around_resource("x"), "e(o(r(x)))")

    def test_levels(self) -> None:
        """A module stands only on the levels that it has a face for."""
        chain = self.chain(requests="r", connections="c", handshakes=b"h2")
        self.assertEqual(chain.around_resource("x"), "r(x)")
        self.assertEqual(chain.around_factory("x"), "c(x)")
        self.assertEqual(chain.amended(TLSOptions(alpn=(b"a",))).alpn, (b"a", b"h2"))
        self.assertEqual(chain.connection_modules, (("connections", "c"),))

    def test_switched_off(self) -> None:
        """A module that is switched off is not even made."""
        modules = {"requests": Module(config="r"), "connections": Module(enabled=False, config="c")}
        chain = Chain(modules, KINDS, ModuleContext(runtime=RUNTIME))
        self.assertEqual(chain.around_resource("x"), "r(x)")
        self.assertEqual(chain.around_factory("x"), "x")
        self.assertEqual(chain.connection_modules, ())

    def test_empty(self) -> None:
        """Without modules everything stays as it is."""
        inner, options = object(), TLSOptions()
        chain = self.chain()
        self.assertIs(chain.around_resource(inner), inner)
        self.assertIs(chain.around_factory(inner), inner)
        self.assertIs(chain.amended(options), options)
        self.assertEqual(chain.connection_modules, ())

    def test_unknown(self) -> None:
        """A module that there is no kind of is not passed over."""
        self.assertRaises(KeyError, self.chain, nope="n")

    def test_also(self) -> None:
        """What is ready made stands in its phase among the others, behind those of the same."""
        made = Requests("ready", None)
        modules = {"requests": Module(config="late"), "zz_early": Module(config="early")}
        for phase, expected in ((Phase.POLICY, "early(ready(late(x)))"), (Phase.PREPARE, "early(late(ready(x)))")):
            chain = Chain(modules, KINDS, ModuleContext(runtime=RUNTIME), [(phase, made)])
            self.assertEqual(chain.around_resource("x"), expected)
        self.assertEqual(chain.connection_modules, ())
