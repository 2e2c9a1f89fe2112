"""
`Gateway`: what one connection of an agent means. The machinery below tells it of requests; it finds out who asks, and has the
agent's session do it.

Source: specification of the agent protocol, section 6.
"""

from __future__ import annotations

from typing import Any, Callable, Coroutine, Sequence

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger

from ngrok_twisted.authtoken_login import Authtoken, LoginRefused
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.transports.agent.clients import Clients
from ngrok_twisted.transports.agent.legs import Leg
from ngrok_twisted.transports.agent.messages import BAD_AUTH, BAD_REQUEST, Auth, read_auth, read_unbind
from ngrok_twisted.transports.agent.replies import auth_reply
from ngrok_twisted.transports.agent.requests import Reply
from ngrok_twisted.transports.agent.session import AgentSession
from ngrok_twisted.transports.agent.settings import AgentSettings
from ngrok_twisted.transports.agent.typed import StreamType

#: ngrok's number for an authtoken that is not valid.
BAD_TOKEN = 107

#: What the SDKs call their common part that pass on when a visitor has said everything. ngrok-go and agents of version 2 break
#: off the whole connection then, and who knows what others do (specification, section 8.1).
HALF_CLOSING = "ngrok-rust/"

#: The reply to what was done and has no more to say.
_DONE = {"Error": "", "Extra": None}


class Gateway:
    """
    The owner of one `ngrok_twisted.transports.agent.connection.AgentConnection`.
    """

    _log = Logger()

    def __init__(
        self,
        connection: Any,
        *,
        portal: Any,
        clients: Clients,
        settings: AgentSettings,
        addresses: Sequence[tuple[str, str]] = (),
        refusal: Callable[[], Refused | None] = lambda: None,
        when_gone: Callable[[Gateway], None] = lambda gateway: None,
    ) -> None:
        """
        :param portal: lets agents in, see `ngrok_twisted.interfaces.ITransportKind`.
        :param addresses: where the agent may open further connections, see `auth_reply`.
        :param refusal: says why nobody is let in now, or ``None``.
        :param when_gone: called once the connection is gone.
        """
        self._connection = connection
        self._portal = portal
        self._clients = clients
        self._settings = settings
        self._addresses = addresses
        self._refusal = refusal
        self._when_gone = when_gone
        self._login: Deferred[Reply] | None = None
        self._session: AgentSession | None = None
        self._leg: Leg | None = None

    def close(self, reason: str) -> None:
        """
        End the connection.

        :param reason: for the agent's log.
        """
        self._connection.close(reason)

    # -- for the connection --------------------------------------------------------------------------------------------

    def request(self, kind: int, message: Any) -> Reply | Deferred[Reply]:
        """
        The agent asks for something.

        :param kind: a `StreamType`.
        :param message: its object.
        :return: the reply, or a Deferred that fires with it or fails with `Refused`.
        :raises Refused: it is not done.
        """
        if kind == StreamType.SRV_INFO:
            return Reply(message={"Region": self._settings.region})
        if kind == StreamType.AUTH:
            return self._authenticate(message)
        if self._session is None or self._leg is None:
            raise Refused(BAD_REQUEST, "The agent must log in first.")
        work = self._work(kind, message, self._session, self._leg)
        return self._tracked(self._leg, Deferred.fromCoroutine(_answered(work)))

    def room_made(self) -> None:
        """A proxied stream has ended."""
        if self._session is not None:
            self._session.legs.room_made()

    def lost(self, reason: Any) -> None:
        """The connection is gone."""
        login, self._login = self._login, None
        if login is not None:
            login.cancel()
        if self._session is not None and self._leg is not None:
            self._session.leave(self._leg)
        self._when_gone(self)

    # -- login ---------------------------------------------------------------------------------------------------------

    def _authenticate(self, message: Any) -> Deferred[Reply]:
        if self._session is not None or self._login is not None:
            raise Refused(BAD_AUTH, "The agent has logged in on this connection already.")
        login = self._login = Deferred.fromCoroutine(_answered(self._let_in(message)))
        return login.addBoth(self._login_done)

    def _login_done(self, result: Any) -> Any:
        self._login = None
        return result

    async def _let_in(self, message: Any) -> Reply:
        auth = read_auth(message)
        principal = await self._principal(auth)
        refused = self._refusal()
        if refused is not None:
            raise refused
        session, leg = self._clients.admit(auth, principal, self._connection)
        self._session, self._leg = session, leg
        self._connection.logged_in(
            auth.interval,
            auth.tolerance,
            late_fin=HALF_CLOSING not in auth.user_agent,
            party=principal.account_id,
        )
        cookie = self._clients.cookie(session)
        return Reply(message=auth_reply(auth, session.id, cookie, principal, self._settings, self._addresses))

    async def _principal(self, auth: Auth) -> Principal:
        """
        :raises Refused: nobody is let in with this authtoken.
        """
        try:
            _, principal, _ = await maybeDeferred(self._portal.login, Authtoken(auth.authtoken), None, Principal)
        except LoginRefused as error:
            self._log.info("an agent from {peer} is refused: {reason}", peer=self._peer, reason=error.refused.message)
            raise error.refused from None
        except UnauthorizedLogin:
            raise Refused(BAD_TOKEN, "The authtoken is not valid.") from None
        found: Principal = principal
        return found

    @property
    def _peer(self) -> str:
        peer: str = self._connection.peer_host
        return peer

    # -- what agents ask for -------------------------------------------------------------------------------------------

    async def _work(self, kind: int, message: Any, session: AgentSession, leg: Leg) -> Reply:
        endpoints = session.endpoints
        if kind == StreamType.BIND:
            return await endpoints.bind(leg, message)
        if kind == StreamType.START_TUNNEL_WITH_LABEL:
            return await endpoints.start_labelled(leg, message)
        if kind == StreamType.UNBIND:
            await endpoints.unbind(read_unbind(message).id)
            return Reply(message=_DONE)
        if kind == StreamType.PATCH_TUNNEL_STATE:
            await endpoints.patch(message)
            return Reply(message=_DONE)
        raise Refused(BAD_REQUEST, f"There are no requests of the type {int(kind)}.")

    @staticmethod
    def _tracked(leg: Leg, work: Deferred[Reply]) -> Deferred[Reply]:
        """What is being done for a leg ends with it."""

        def done(result: Any) -> Any:
            leg.work.discard(work)
            return result

        leg.work.add(work)
        return work.addBoth(done)


async def _answered(work: Coroutine[Any, Any, Reply]) -> Reply:
    """
    :raises Refused: also where nobody waits for the answer any more.
    """
    try:
        return await work
    except CancelledError:
        raise Refused(None, "The connection has ended.") from None
