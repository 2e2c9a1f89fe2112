"""
Endpoints with a traffic policy: cloud endpoints, which are nothing else, and agents' endpoints that have one. A pool may
hold both: one of its members is chosen for each request or stream, and then that member's own policy is run.
"""

from __future__ import annotations

from random import Random
from typing import Any, Callable, Iterable, Sequence

from twisted.internet.protocol import Factory

from ngrok_twisted.edge.agents import AgentBackend
from ngrok_twisted.edge.context import EdgeContext
from ngrok_twisted.edge.declared import Nobody
from ngrok_twisted.edge.https import Entry, HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.streams import StreamEdge
from ngrok_twisted.errors import EdgeError, EndpointOffline, InvalidConfig
from ngrok_twisted.policy.chain import PolicyChain
from ngrok_twisted.policy.context import ActionContext
from ngrok_twisted.policy.document import action_kinds, parse_policy
from ngrok_twisted.policy.policy import Policy
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.upstream.forward import Forward
from ngrok_twisted.wrapper import Wrapper


class NotTerminated(EdgeError):
    """A cloud endpoint's policy let a request fall through, and nothing is behind it."""

    code = 6029
    status = 502
    sentence = "The traffic policy of this endpoint did not answer the request."


def has_policy(members: Iterable[Endpoint]) -> bool:
    """Whether the endpoints of one URL are more than agents that everything is forwarded to."""
    return any(member.type == "cloud" or member.traffic_policy for member in members)


def http_edge(name: str, members: tuple[Endpoint, ...], plane: Any, context: EdgeContext) -> HTTPEdge:
    """
    The edge of an http URL, or of an internal one of either kind.

    :raises LookupError: a policy cannot be run.
    """
    made = [_Member(member, plane, context) for member in members]
    resource = _resource(made, context)
    # The name is known with the request, so that rules for connections are run then.
    for member in made:
        resource = member.chain.around_late(resource)
    return HTTPEdge(name, resource, members[0].account_id)


def https_edge(name: str, members: tuple[Endpoint, ...], plane: Any, context: EdgeContext) -> HTTPSEdge:
    """
    The edge of a public https URL.

    Members of a pool may differ in their rules for connections, but who answers is chosen for each request: therefore a
    connection passes the rules of all of them.

    :raises LookupError: a policy cannot be run.
    """
    made = [_Member(member, plane, context) for member in members]
    rules = tuple(member.policy.on_tcp_connect for member in made if member.policy.on_tcp_connect)
    return HTTPSEdge(
        name,
        _resource(made, context),
        Entry(modules=tuple(("traffic_policy", one) for one in rules)),
        plane,
        context,
        _around(made),
        account_id=members[0].account_id,
    )


def stream_edge(name: str, members: tuple[Endpoint, ...], plane: Any, context: EdgeContext) -> Any:
    """
    The edge of a tls or tcp URL.

    :raises LookupError: a policy cannot be run.
    """
    made = [_Member(member, plane, context) for member in members]
    edges = [(member.online, _stream(name, member, plane, context)) for member in made]
    return edges[0][1] if len(edges) == 1 else PooledStreams(edges, context.runtime.random)


def _around(members: Sequence[_Member]) -> Callable[[Any], Any]:
    def around(factory: Any) -> Any:
        for member in members:
            factory = member.chain.around_factory(factory)
        return factory

    return around


def _stream(name: str, member: _Member, plane: Any, context: EdgeContext) -> StreamEdge:
    record = member.record
    return StreamEdge(
        name,
        record.proto,
        member.backend,
        plane,
        context,
        account_id=record.account_id,
        around_factory=member.chain.around_factory,
    )


class _Member:
    """
    One endpoint of a URL.

    :ivar record: the endpoint.
    :ivar policy: empty for an agent without one.
    :ivar chain: the policy, ready to run.
    :ivar backend: who is behind it.
    """

    def __init__(self, record: Endpoint, plane: Any, context: EdgeContext) -> None:
        """
        :raises LookupError: its policy cannot be run.
        """
        self.record = record
        self.policy = policy_of(record)
        self.chain = PolicyChain(
            self.policy,
            action_kinds(),
            ActionContext(phase="", account_id=record.account_id, internal=plane.internal_endpoint),
        )
        self._tunnels = context.tunnels
        self._is_cloud = record.type == "cloud"
        self.backend: Any = Nobody()
        if not self._is_cloud:
            self.backend = AgentBackend((record.id,), context.tunnels, context.runtime.random)

    def online(self) -> bool:
        """Whether it can be chosen now."""
        return self._is_cloud or self._tunnels.serving(self.record.id) is not None

    def resource(self, context: EdgeContext) -> Any:
        """Its policy, with its service behind it if it has one."""
        if self._is_cloud:
            return self.chain.around_resource(Fallthrough(None))
        limits, runtime = context.limits, context.runtime
        forward = Forward(self.backend, runtime.reactor, context.pool, idle_timeout=limits.idle)
        return self.chain.around_resource(forward)


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


def _resource(members: Sequence[_Member], context: EdgeContext) -> Any:
    made = [(member.online, member.resource(context)) for member in members]
    return made[0][1] if len(made) == 1 else PooledResource(made, context.runtime.random)


class Fallthrough(Wrapper):
    """What is behind the policy of a cloud endpoint: nothing."""

    def render(self, request: Any) -> Any:
        """
        IResource.

        :raises NotTerminated: always.
        """
        raise NotTerminated()


class PooledResource(Wrapper):
    """Any one of the members that are online answers a request."""

    def __init__(self, members: Sequence[tuple[Callable[[], bool], Any]], random: Random) -> None:
        """
        :param members: pairs of a callable that tells whether a member is online, and its resource.
        """
        super().__init__(None)
        self._members = members
        self._random = random

    def render(self, request: Any) -> Any:
        """
        IResource.

        :raises EndpointOffline: no member is online.
        """
        chosen = _chosen(self._members, self._random)
        if chosen is None:
            raise EndpointOffline.named(request.flow.host)
        return chosen.render(request)


class PooledStreams(Factory):
    """
    Any one of the members that are online gets a stream.

    :ivar name: for logs.
    :ivar proto: ``tls`` or ``tcp``.
    :ivar account_id: whose endpoints they are.
    """

    noisy = False

    def __init__(self, members: Sequence[tuple[Callable[[], bool], StreamEdge]], random: Random) -> None:
        """
        :param members: pairs of a callable that tells whether a member is online, and its edge.
        """
        first = members[0][1]
        self.name, self.proto, self.account_id = first.name, first.proto, first.account_id
        self._members = members
        self._random = random

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory: ``None`` closes the connection."""
        chosen = _chosen(self._members, self._random)
        return None if chosen is None else chosen.buildProtocol(addr)


def _chosen(members: Sequence[tuple[Callable[[], bool], Any]], random: Random) -> Any:
    online = [what for is_online, what in members if is_online()]
    return online[int(random.random() * len(online))] if online else None
