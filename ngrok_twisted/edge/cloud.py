"""
Endpoints with modules or a traffic policy: cloud endpoints, which are nothing but a policy, and agents' endpoints that have
some. A pool may hold all kinds: one of its members is chosen for each request or stream, and then that member's own modules
and policy are run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Sequence

from twisted.internet.protocol import Factory
from zope.interface import implementer

from ngrok_twisted.edge.agents import AgentBackend, Pool
from ngrok_twisted.edge.chain import Chain
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.declared import Nobody, around_tls
from ngrok_twisted.edge.https import Entry, HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.streams import StreamEdge
from ngrok_twisted.errors import EdgeError, EndpointOffline, InvalidConfig
from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.policy.chain import PolicyChain
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.document import action_kinds, parse_policy
from ngrok_twisted.policy.policy import Policy
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.tls.options import TLSOptions
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.wrapper import Phase, Wrapper


class NotTerminated(EdgeError):
    """A cloud endpoint's policy let a request fall through, and nothing is behind it."""

    code = 6029
    status = 502
    sentence = "The traffic policy of this endpoint did not answer the request."


def is_guarded(members: Iterable[Endpoint]) -> bool:
    """Whether the endpoints of one URL are more than agents that everything is forwarded to."""
    return any(member.type == "cloud" or member.traffic_policy or member.modules for member in members)


def http_edge(
    name: str, members: tuple[Endpoint, ...], plane: Any, context: EdgeContext, inside: ModuleContext
) -> HTTPEdge:
    """
    The edge of an http URL, or of an internal one of either kind.

    :param inside: for modules; what they use is noted there.
    :raises LookupError: a policy or a module cannot be run.
    """
    made = [_Member(member, plane, context, inside) for member in members]
    # The name is known with the request, so that rules for connections are run then.
    resources = [(member.agent_id, member.rules.around_late(member.resource(context))) for member in made]
    return HTTPEdge(name, _resource(resources, context), members[0].account_id)


def https_edge(
    name: str, members: tuple[Endpoint, ...], plane: Any, context: EdgeContext, inside: ModuleContext
) -> HTTPSEdge:
    """
    The edge of a public https URL.

    Who answers is chosen for each request, among those members of a pool whose connections begin alike. Where members differ
    in the handshake or in their rules for connections, a connection is given to one of them before it begins, and stays with
    those that are like it.

    :param inside: for modules; what they use is noted there.
    :raises LookupError: a policy or a module cannot be run.
    """
    made = [_Member(member, plane, context, inside) for member in members]
    alike: list[tuple[Entry, list[_Member]]] = []
    for member in made:
        known = next((others for entry, others in alike if entry == member.entry), None)
        if known is None:
            alike.append((member.entry, [member]))
        else:
            known.append(member)
    edges = [_https(name, entry, those, plane, context) for entry, those in alike]
    if len(edges) == 1:
        return edges[0]
    ways = [(member.agent_id, edge) for edge, (_, those) in zip(edges, alike) for member in those]
    return PooledHTTPS(edges, Pool(ways, context.tunnels, context.runtime.random), context.runtime.reactor)


def stream_edge(
    name: str, members: tuple[Endpoint, ...], plane: Any, context: EdgeContext, inside: ModuleContext
) -> Any:
    """
    The edge of a tls or tcp URL.

    :param inside: for modules; what they use is noted there.
    :raises LookupError: a policy or a module cannot be run.
    """
    made = [_Member(member, plane, context, inside) for member in members]
    edges = [_stream(name, member, plane, context) for member in made]
    if len(edges) == 1:
        return edges[0]
    ways = [(member.agent_id, edge) for member, edge in zip(made, edges)]
    return PooledStreams(edges[0], Pool(ways, context.tunnels, context.runtime.random), context.runtime.reactor)


def _https(name: str, entry: Entry, members: Sequence[_Member], plane: Any, context: EdgeContext) -> HTTPSEdge:
    """The edge of members whose connections begin alike: their rules for connections are the same."""
    resource = _resource([(member.agent_id, member.resource(context)) for member in members], context)
    around, account_id = members[0].rules.around_factory, members[0].record.account_id
    return HTTPSEdge(name, resource, entry, plane, context, around, account_id=account_id)


def _stream(name: str, member: _Member, plane: Any, context: EdgeContext) -> StreamEdge:
    record = member.record
    by_name = record.proto == "tls"
    return StreamEdge(
        name,
        record.proto,
        member.backend,
        plane,
        context,
        account_id=record.account_id,
        around_factory=around_tls(member.chain, plane, context) if by_name else member.chain.around_factory,
    )


class _Member:
    """
    One endpoint of a URL.

    :ivar record: the endpoint.
    :ivar rules: its policy, ready to run; empty for an agent without one.
    :ivar chain: its modules, with the policy in their midst.
    :ivar entry: how a connection to it over https begins.
    :ivar backend: who is behind it.
    :ivar agent_id: the endpoint's id; ``None`` for a cloud endpoint, which is always there.
    """

    def __init__(self, record: Endpoint, plane: Any, context: EdgeContext, inside: ModuleContext) -> None:
        """
        :raises LookupError: its policy, or one of its modules, cannot be run.
        """
        self.record = record
        policy = policy_of(record)
        self.rules = PolicyChain(
            policy,
            action_kinds(),
            ActionContext(phase="", account_id=record.account_id, internal=plane.internal_endpoint),
        )
        inside = replace(inside, account_id=record.account_id, place=record.id)
        self.chain = Chain(record.modules, context.module_kinds, inside, [(Phase.POLICY, _Rules(self.rules))])
        connections = policy.on_tcp_connect
        self.entry = Entry(
            options=self.chain.amended(TLSOptions()),
            modules=(("traffic_policy", connections),) if connections else (),
        )
        self.agent_id = None if record.type == "cloud" else record.id
        self.backend: Any = Nobody()
        if self.agent_id is not None:
            self.backend = AgentBackend((record.id,), context.tunnels, context.runtime.random)

    def resource(self, context: EdgeContext) -> Any:
        """Its modules and its policy, with its service behind them if it has one."""
        if self.agent_id is None:
            return self.chain.around_resource(Fallthrough(None))
        limits, runtime = context.limits, context.runtime
        forward = Forward(self.backend, runtime.reactor, context.pool, idle_timeout=limits.idle)
        return self.chain.around_resource(forward)


@implementer(IHTTPModule, IConnectionModule)
class _Rules:
    """A policy as one of the modules that it stands among."""

    def __init__(self, rules: PolicyChain) -> None:
        self._rules = rules

    def wrap_resource(self, inner: Any) -> Any:
        """IHTTPModule."""
        return self._rules.around_resource(inner)

    def wrap_factory(self, inner: Any) -> Any:
        """IConnectionModule."""
        return self._rules.around_factory(inner)


def policy_of(record: Endpoint) -> Policy:
    """
    The policy of an endpoint.

    :raises LookupError: this version cannot run it.
    """
    is_cloud = record.type == "cloud"
    if not is_cloud and not record.traffic_policy:
        return Policy()
    try:
        return parse_policy(record.traffic_policy, record.proto, place=record.binding, must_end=is_cloud)
    except InvalidConfig as error:
        raise LookupError(f"endpoint {record.id}: its traffic policy: {error}") from None


def _resource(members: Sequence[tuple[str | None, Any]], context: EdgeContext) -> Any:
    if len(members) == 1:
        return members[0][1]
    return PooledResource(Pool(members, context.tunnels, context.runtime.random))


class Fallthrough(Wrapper):
    """What is behind the policy of a cloud endpoint: nothing."""

    def render(self, request: Any) -> Any:
        """
        IResource.

        :raises NotTerminated: always.
        """
        raise NotTerminated()


class PooledResource(Wrapper):
    """One of the members that are online answers a request."""

    def __init__(self, pool: Pool) -> None:
        """
        :param pool: chooses a member's resource.
        """
        super().__init__(None)
        self._pool = pool

    def render(self, request: Any) -> Any:
        """
        IResource.

        :raises EndpointOffline: no member is online.
        """
        chosen = self._pool.chosen(request.flow.started)
        if chosen is None:
            raise EndpointOffline.named(request.flow.host)
        return chosen.render(request)


class PooledHTTPS(HTTPSEdge):
    """
    Members whose connections begin in different ways: the one that a connection is given to decides how it begins.
    """

    def __init__(self, edges: Sequence[HTTPSEdge], pool: Pool, clock: Any) -> None:
        """
        :param edges: one for each way to begin.
        :param pool: chooses a member, that is the one of the edges which it is behind.
        :param clock: an ``IReactorTime``.
        """
        first, *others = edges
        self.name, self.account_id = first.name, first.account_id
        self.resource, self.entry, self.others = first.resource, first.entry, tuple(others)
        self._first = first
        self._pool = pool
        self._clock = clock

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory. Where nobody is online the visitor is told so."""
        return (self._pool.chosen(self._clock.seconds()) or self._first).buildProtocol(addr)


class PooledStreams(Factory):
    """
    One of the members that are online gets a stream.

    :ivar name: for logs.
    :ivar proto: ``tls`` or ``tcp``.
    :ivar account_id: whose endpoints they are.
    """

    noisy = False

    def __init__(self, first: StreamEdge, pool: Pool, clock: Any) -> None:
        """
        :param first: the edge of any of the members.
        :param pool: chooses a member's edge.
        :param clock: an ``IReactorTime``.
        """
        self.name, self.proto, self.account_id = first.name, first.proto, first.account_id
        self._pool = pool
        self._clock = clock

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory: ``None`` closes the connection."""
        chosen = self._pool.chosen(self._clock.seconds())
        return None if chosen is None else chosen.buildProtocol(addr)
