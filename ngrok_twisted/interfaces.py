"""
Every interface that separates two parts of the house, and nothing else.

The vocabulary: a *flow* (one connection or request on its way) meets *modules*, asks a *backend* for *targets*, and one
of them, usually a *tunnel*, answers it. A *transport* lets agents in and puts their tunnels into the live table. The
control plane hands the edge a frozen *snapshot* of records.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint

from ngrok_twisted.byte_transports import IBatchReceiver as IBatchReceiver
from ngrok_twisted.byte_transports import IBatchTransport as IBatchTransport
from ngrok_twisted.byte_transports import IFillable as IFillable

# -- modules -----------------------------------------------------------------------------------------------------------


class IModuleKind(Interface):
    """
    A module kind: one file in ``modules/``, from which come the YAML key, the API path and the runtime.

    Three attributes are optional: ``configs`` maps some of ``attaches`` to config classes that stand there in place of
    ``Config``; ``codes`` maps fields of the config to the number of ngrok's error for a bad value; ``needs_termination`` is
    true for what makes sense only where TLS ends at the edge.
    """

    name = Attribute("``str``: the key in YAML, in API paths and in logs.")
    Config = Attribute("A frozen dataclass that `schema.parse` fills.")
    phase = Attribute("`Phase`: the place in the onion, outermost first.")
    attaches = Attribute("``frozenset[str]``, a subset of ``route``, ``https``, ``tls``, ``tcp``.")

    def __call__(config, context):
        """
        :param config: an instance of ``Config``; references in it are ids.
        :param context: a `ngrok_twisted.module.ModuleContext`: the `Runtime`, and the records that references mean.
        :return: a provider of one or more of `IHTTPModule`, `IConnectionModule`, `ITLSModule`.
        :raises LookupError: a reference leads nowhere; the message names it.
        """


class IHTTPModule(Interface):
    """A module that looks at requests."""

    def wrap_resource(inner):
        """
        :param inner: the `twisted.web.resource.IResource` that is asked next.
        :return: an ``IResource`` that stands around it.
        """


class IConnectionModule(Interface):
    """A module that looks at connections."""

    def wrap_factory(inner):
        """
        :param inner: the `IProtocolFactory` of what comes next.
        :return: an ``IProtocolFactory`` that stands around it.
        """


class ITLSModule(Interface):
    """A module that takes part in the TLS handshake."""

    def amend(options):
        """
        :param options: the frozen `ngrok_twisted.tls.options.TLSOptions` so far.
        :return: the ``TLSOptions`` to use instead.
        """


class IResponseFilter(Interface):
    """A change to a response on its way to the visitor: sans-I/O. One that keeps nothing of a response may serve many."""

    def begin(head):
        """
        See, and possibly change, the response's head before it is sent. If ``passive`` is true after that, no body is shown.

        :param head: a `ngrok_twisted.wrapper.ResponseHead`.
        :return: ``None``, or a filter to use from now on, which has begun.
        """

    def feed(data):
        """
        :param data: the next bytes of the body.
        :return: the bytes to send now, possibly none.
        """

    def finish():
        """:return: the last bytes to send."""


# -- backends and targets ----------------------------------------------------------------------------------------------


class IBackendKind(Interface):
    """
    A backend kind: one file in ``backends/``.

    Two attributes are optional: ``codes`` maps fields of the config to the number of ngrok's error for a bad value;
    ``carries_streams`` is false for what answers requests only.
    """

    name = Attribute("``str``: the key in YAML and in API paths, such as ``tunnel_group``.")
    Config = Attribute("A frozen dataclass that `schema.parse` fills.")

    def __call__(config, context):
        """
        :param config: an instance of ``Config``.
        :param context: a `ngrok_twisted.backend.BackendContext`: live tunnels, other backends by id, randomness.
        :return: an `IBackend`.
        """


class IBackend(Interface):
    """A chooser: it decides who should answer, and never waits."""

    def candidates(flow):
        """
        :param flow: the `ngrok_twisted.flow.Flow` that wants an answer.
        :return: an iterator over `ITarget` providers in the order to try. Empty: nobody is there.
        """


class ITarget(Interface):
    """
    Marks what a backend may yield: a provider of `IStreamClientEndpoint` (something to connect to) or of
    `twisted.web.resource.IResource` (something that answers by itself).
    """


class ITunnel(ITarget, IStreamClientEndpoint):
    """
    A way to one agent's local service.

    ``connect(factory)`` opens one stream to the service; an `IFlowFactory` has the visitor's address told to the agent.
    Its Deferred fires with the protocol, or fails with the `ngrok_twisted.errors.EdgeError` that names the cause.
    """

    id = Attribute("``str``: the tunnel's public id, ``tn_…``.")
    endpoint_id = Attribute("``str`` or ``None``: the `Endpoint` record it serves; ``None`` for a labelled tunnel.")
    account_id = Attribute("``str``: the owner account's id.")
    principal = Attribute("`ngrok_twisted.iam.principal.Principal` whose credential let the agent in.")
    labels = Attribute("``Mapping[str, str]``: empty unless it is a labelled tunnel.")
    url = Attribute("``str``: the public URL, empty for a labelled tunnel.")
    upstream = Attribute("`ngrok_twisted.records.endpoint.Upstream`: how to speak to the service.")
    session_id = Attribute("``str``: the agent session that brought it.")
    started_at = Attribute("``float``: seconds since the epoch.")
    metadata = Attribute("``str``: opaque, as its user gave it; at most 4096 bytes.")
    forwards_to = Attribute("``str``: what the agent says of the local service; may be empty.")
    body_wait = Attribute("``float``: seconds that a request's head waits for its body: a second piece is late.")
    crowded = Attribute("``bool``: visitors wait until one of the agent's streams ends; none is kept for later.")

    def close(reason):
        """
        Take the tunnel away from the agent.

        :param reason: a ``str`` the agent's user may read.
        """

    def observe(flow):
        """Be told of a flow that ended and was answered by this tunnel. Cheap; never raises."""


class IFlowFactory(IProtocolFactory):
    """A protocol factory that was made for one flow."""

    flow = Attribute("the `ngrok_twisted.flow.Flow`.")


# -- transports --------------------------------------------------------------------------------------------------------


class ITransportKind(Interface):
    """A way in for agents: one folder in ``transports/``, in its ``kind.py``."""

    name = Attribute("``str``: its block in YAML.")
    Config = Attribute("A frozen dataclass that `schema.parse` fills.")

    def __call__(config, portal, reservations, tunnels, runtime):
        """
        :param portal: a `twisted.cred.portal.Portal` whose avatars are `Principal` objects.
        :param reservations: the `IReservations`.
        :param tunnels: the `ngrok_twisted.tunnels.Tunnels` table.
        :param runtime: the `Runtime`.
        :return: a `twisted.application.service.IService`.
        """


class IAgentSession(Interface):
    """One connected agent, as the reservations see it."""

    id = Attribute("``str``: ``ts_…``.")
    principal = Attribute("`ngrok_twisted.iam.principal.Principal`.")
    peer_host = Attribute("``str``: the agent's IP address.")
    transport = Attribute(
        "``str``: how it came: ``ssh``, or ``ngrok/2`` or ``ngrok/3`` by the version of the protocol."
    )
    agent_version = Attribute("``str``: what the agent calls itself and its version; may be empty.")
    os = Attribute("``str``: the agent's operating system; empty where it did not say.")
    metadata = Attribute("``str``: of the session, opaque, as its user gave it.")
    started_at = Attribute("``float``: seconds since the epoch.")

    def probe():
        """
        Ask the agent for a sign of life.

        :return: a Deferred that fires with ``None`` as soon as the agent answers; it fails when the connection is lost.
            The caller times it out and cancels it.
        """

    def revoke(grant, reason):
        """
        The grant is gone (taken over, expired, stopped, its credential deleted): drop its tunnel and tell the user.

        :param grant: the `ngrok_twisted.control.reservations.Grant`.
        :param reason: a ``str`` the agent's user may read.
        """

    def close(reason):
        """
        End the session (its credential was deleted or may do less). It gives its grants back.

        :param reason: a ``str`` the agent's user may read.
        """

    def order(command, version):
        """
        Somebody of the account tells the agent to do something.

        :param command: ``stop``, ``restart`` or ``update``.
        :param version: for ``update``: the version to move to; empty for the newest.
        :return: a Deferred that fires with ``None`` once the agent has the order, soon in any case. It fails with
            `ngrok_twisted.errors.Refused`: 804, 805 and 806 if this agent takes no such order, 807, 808 and 809 if it could
            not follow it, 810 if it was lost; SSH clients have 1122 and 1121 of their own.
        """


class IReservations(Interface):
    """Who may have which name or address, and who has it now."""

    def claim(session, claim):
        """
        :param session: the `IAgentSession` that asks.
        :param claim: a `ngrok_twisted.claim.Claim`.
        :return: a Deferred that fires with a `ngrok_twisted.claim.Grant` once the edge routes to it, or fails with
            `ngrok_twisted.errors.Refused` that carries ngrok's code.
        """

    def release(grant):
        """
        Give a grant back. A grant that was taken over by a later session is left alone: grants are fenced by their
        session's id.

        :return: a Deferred that fires with ``None`` when the edge no longer serves it; it never fails.
        """

    def amend(grant, claim):
        """
        Change what stands behind a grant without a gap: its description, metadata, name, pooling and traffic policy. All of
        it is changed, or nothing is.

        :param claim: has them as they are to be; the rest of it does not count.
        :return: a Deferred that fires with the `ngrok_twisted.claim.Grant` that stands in the place of this one from now on,
            once the edge serves it; what is revoked later is that one. It fails with `ngrok_twisted.errors.Refused`: 333
            the grant is gone, 334 others share its URL and pooling was switched off, or what the edge says of the policy.
        """


# -- control -----------------------------------------------------------------------------------------------------------


class IStore(Interface):
    """Where records live. Every method returns a Deferred; nothing blocks the reactor."""

    def open():
        """
        :return: a Deferred that fires with the current `Snapshot` once the store is usable, or fails with
            `ngrok_twisted.errors.StoreUnusable`.
        """

    def get(cls, id):
        """:return: a Deferred that fires with the `Record`, or ``None``."""

    def find(cls, **fields):
        """
        :return: a Deferred that fires with a list of the records whose fields equal all those given, oldest first.
        """

    def write(changes, expect=None):
        """
        Apply all of the changes, or none.

        :param changes: a sequence of `ngrok_twisted.records.base.Put` and `Delete`.
        :param expect: the revision that the caller read, or ``None`` to write over whatever is there.
        :return: a Deferred that fires with the new `Snapshot`; it fails with `ngrok_twisted.errors.Conflict` when the
            store has moved past ``expect``.
        """

    def snapshot():
        """:return: a Deferred that fires with the newest `Snapshot`."""

    def subscribe(listener):
        """
        :param listener: called with each new `Snapshot`, in order, after it is durable.
        :return: a callable without arguments that ends the subscription.
        """

    def close():
        """:return: a Deferred that fires when everything is durable and the store is shut."""


class IStoreKind(Interface):
    """A kind of store: one file in ``control/stores/``."""

    name = Attribute("``str``: the value of ``store`` in YAML, or what stands before ``://`` in it.")

    def __call__(value, runtime):
        """
        :param value: the whole value of ``store``.
        :param runtime: the `Runtime`; its ``state`` is the state directory.
        :return: an `IStore` that is not yet open.
        :raises ValueError: the value cannot be understood; the message never holds a password.
        """


class IEdgePlane(Interface):
    """What the control plane knows of the data plane."""

    def check(snapshot):
        """:return: a list of `ngrok_twisted.records.base.Problem`; empty when the snapshot can be served."""

    def apply(snapshot):
        """Serve this snapshot from the next connection on; connections in flight keep the edge they met."""

    def do_without(snapshot, record_id):
        """
        From now on it is no problem that the public ports of a record cannot be opened: they will be when they can.

        :param record_id: of the record in the snapshot.
        """


class IRecordRules(Interface):
    """What must hold for the records of one family among the others: one file in ``control/rules/``."""

    name = Attribute("``str``: the family.")

    def problems(record, around):
        """
        :param record: a `Record` of the family. Its shape is right already.
        :param around: a `ngrok_twisted.control.around.Around`.
        :return: an iterator of `ngrok_twisted.records.base.Problem`; paths name the record's fields as the API calls them,
            and codes are ngrok's.
        """


class IAPIResource(Interface):
    """A resource of the management API: one file in ``control/api/resources/``."""

    name = Attribute("``str``: what ngrok calls it, such as ``reserved_domains``.")

    def methods():
        """:return: an iterator of `ngrok_twisted.control.api.method.Method`."""


# -- small kinds -------------------------------------------------------------------------------------------------------


class ICertificateIssuer(Interface):
    """Where certificates for names without an uploaded one come from."""

    name = Attribute("``str``: the value of ``tls.issuer`` in YAML.")

    def issue(names):
        """
        :param names: a tuple of DNS names, a leading ``*.`` being allowed, and of IP addresses in text form. The first is a
            name, and the subject.
        :return: a `ngrok_twisted.tls.certificates.KeyPair`.
        """


class IRequestBody(Interface):
    """The receiver of a streamed request body; see `ngrok_twisted.edge.request.EdgeRequest.deliver_body`."""

    def bodyReceived(data):
        """:param data: the next bytes; a bytes-like object valid only during the call."""

    def bodyFinished(trailers):
        """:param trailers: a list of ``(name, value)`` byte pairs, usually empty."""

    def bodyFailed(reason):
        """
        The visitor went away, or broke the message, before its end.

        :param reason: a `twisted.python.failure.Failure`.
        """
