"""
The SSH transport: a stock SSH client publishes a local service with ``ssh -R``, and no agent is installed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Callable, Iterable, Mapping, Sequence

from zope.interface import implementer

from twisted.application.service import Service
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.filepath import FilePath

from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.interfaces import ITransportKind
from ngrok_twisted.marks import EXTERNAL, ONE_OR_MANY
from ngrok_twisted.net.chores import Chores
from ngrok_twisted.records.base import Problem
from ngrok_twisted.roster import Roster
from ngrok_twisted.transports.ssh import hostkeys
from ngrok_twisted.transports.ssh.fetching import Fetcher
from ngrok_twisted.transports.ssh.gateway import Gateway
from ngrok_twisted.transports.ssh.hints import Hints
from ngrok_twisted.transports.ssh.limits import SSHLimits
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from ngrok_twisted.transports.ssh.transport import SSHServerFactory

SECONDS = 1

#: For connections to close by themselves after they were told; a little more than the transport lingers for the peer.
CLOSE_TIMEOUT = 6 * SECONDS

#: What users read when the server stops.
SHUTTING_DOWN = "The server is shutting down."

#: ngrok's number for too many agent sessions at the same time.
TOO_MANY_SESSIONS = 108


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    :ivar host_keys: private keys in OpenSSH or PEM form, or the paths of such files. Without any, keys are made at the
        first start and kept in the state directory.
    :ivar authorized_keys: paths of ``authorized_keys`` files; the keys in them belong to the default account and may bind
        anything. Without a config file: ``~/.ssh/*.pub`` and ``~/.ssh/authorized_keys`` of the user who runs the server.
    :ivar require_command: a forward without a command such as ``http`` is refused.
    :ivar max_forwards: forwards of one connection at a time.
    :ivar max_sessions_per_credential: connections of one key at a time.
    :ivar login_grace_seconds: from the connection to a successful login.
    :ivar keepalive_seconds: silence after which the client is asked for a sign of life.
    :ivar keepalive_misses: unanswered asks after which the connection is given up: with these defaults a vanished client is
        noticed within 30 seconds.
    :ivar user_certificates: let users in with a certificate that one of the ``ssh_certificate_authorities`` has signed.
    :ivar private_policy_urls: ``--traffic-policy-url`` may lead to private networks, and to this machine itself.
    :ivar prefer_aes_gcm: choose AES-GCM for clients that have it; it costs both ends half of what they would choose.
    """

    host_keys: Annotated[tuple[Annotated[str, EXTERNAL], ...], ONE_OR_MANY] = field(default=(), repr=False)
    authorized_keys: Annotated[tuple[str, ...], ONE_OR_MANY] = ()
    require_command: bool = False
    max_forwards: int = 10
    max_sessions_per_credential: int = 20
    login_grace_seconds: float = 30.0
    keepalive_seconds: float = 10.0
    keepalive_misses: int = 2
    user_certificates: bool = False
    private_policy_urls: bool = False
    prefer_aes_gcm: bool = True


@implementer(ITransportKind)
class SSHKind:
    """
    The kind; see `ssh`.
    """

    name = "ssh"
    Config = Config

    def __call__(
        self,
        config: Any,
        portal: Any,
        reservations: Any,
        tunnels: Any,
        runtime: Any,
        *,
        settings: GatewaySettings | None = None,
        sessions: Any = None,
        host_certificates: Callable[[Iterable[bytes]], Mapping[bytes, bytes]] = lambda keys: {},
    ) -> SSHService:
        """
        ITransportKind.

        :param settings: what the rest of the configuration says that the gateway needs to know.
        :param sessions: the `ngrok_twisted.iam.sessions.Sessions`: says who may not come in, and is told of every session.
        :param host_certificates: gives the certificates of host keys to present now: see `SSHServerFactory`.
        :raises InvalidConfig: a host key cannot be used.
        """
        if settings is None:
            settings = GatewaySettings(
                require_command=config.require_command,
                max_forwards=config.max_forwards,
                max_sessions_per_credential=config.max_sessions_per_credential,
            )
        return SSHService(
            config=config,
            settings=settings,
            portal=portal,
            reservations=reservations,
            tunnels=tunnels,
            sessions=sessions,
            runtime=runtime,
            host_certificates=host_certificates,
        )


#: The SSH transport.
ssh = SSHKind()


def ssh_service(
    config: Any,
    settings: GatewaySettings,
    portal: Any,
    reservations: Any,
    tunnels: Any,
    sessions: Any,
    runtime: Any,
    host_certificates: Callable[[Iterable[bytes]], Mapping[bytes, bytes]] = lambda keys: {},
) -> SSHService:
    """
    The transport with all that it can be told, see `SSHKind`.

    :raises InvalidConfig: a host key cannot be used.
    """
    return ssh(
        config,
        portal,
        reservations,
        tunnels,
        runtime,
        settings=settings,
        sessions=sessions,
        host_certificates=host_certificates,
    )


class SSHService(Service):
    """
    Every SSH connection of the server.

    :ivar factory: accepts connections, for whoever owns the listeners.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        config: Any,
        settings: GatewaySettings,
        portal: Any,
        reservations: Any,
        tunnels: Any,
        sessions: Any,
        runtime: Any,
        host_certificates: Callable[[Iterable[bytes]], Mapping[bytes, bytes]],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._reservations = reservations
        self._tunnels = tunnels
        self._sessions = sessions
        self._clock = runtime.reactor
        # Made once for all gateways: bound methods are 64 bytes each.
        self._wants_hint = Hints(runtime.reactor).wanted
        self._fetch = Fetcher(runtime.reactor, config.private_policy_urls).fetch
        self._when_gone = self._gone
        self._gateways = Roster(runtime.reactor)
        self._forget: dict[Gateway, Callable[[], None]] = {}
        self._refusal: Refused | None = None
        self.factory = SSHServerFactory(
            portal,
            host_keys(config.host_keys, runtime.state),
            self._make_gateway,
            SSHLimits(
                prefer_aes_gcm=config.prefer_aes_gcm,
                login_grace=config.login_grace_seconds,
                keepalive_seconds=config.keepalive_seconds,
                keepalive_misses=config.keepalive_misses,
            ),
            runtime.reactor,
            self._explain,
            config.user_certificates,
            host_certificates,
        )

    def __len__(self) -> int:
        return len(self._gateways)

    # -- agents --------------------------------------------------------------------------------------------------------

    def _make_gateway(self, connection: Any) -> Gateway:
        gateway = Gateway(
            connection,
            settings=self._settings,
            reservations=self._reservations,
            tunnels=self._tunnels,
            clock=self._clock,
            refusal=self._refusal
            or self._turned_away(connection)
            or self._too_many(connection.principal.credential_id),
            wants_hint=self._wants_hint,
            fetch=self._fetch,
            when_gone=self._when_gone,
        )
        self._gateways.arrived(gateway, gateway.principal.credential_id)
        if self._sessions is not None:
            self._forget[gateway] = self._sessions.track(gateway)
        self._log.info(
            "session {session} of {credential} from {peer}",
            session=gateway.id,
            credential=gateway.principal.credential_id,
            peer=gateway.peer_host,
        )
        return gateway

    def _turned_away(self, connection: Any) -> Refused | None:
        if self._sessions is None:
            return None
        refused: Refused | None = self._sessions.refusal(connection.principal.account_id, connection.peer_host)
        return refused

    def _too_many(self, credential_id: str) -> Refused | None:
        limit = self._settings.max_sessions_per_credential
        here = self._gateways if self._sessions is None else self._sessions
        if here.count(credential_id) < limit:
            return None
        return Refused(
            TOO_MANY_SESSIONS, f"This key has {limit} sessions already, and may not have more. Close one first."
        )

    def _gone(self, gateway: Gateway) -> None:
        forget = self._forget.pop(gateway, None)
        if forget is not None:
            forget()
        self._log.info("session {session} has ended", session=gateway.id)
        self._gateways.left(gateway)

    def _explain(self, username: bytes, fingerprints: Sequence[str]) -> str:
        return explain(fingerprints, self._settings)

    # -- the life of the service ---------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Tell the users, and take nothing new; what is online goes on until the service stops."""
        self._refusal = Refused(None, SHUTTING_DOWN)
        for gateway in self._gateways:
            gateway.drain(SHUTTING_DOWN)

    def stopService(self) -> Deferred[Any]:
        """
        End every connection.

        :return: fires with ``None`` once they are gone, a few seconds after the last one was told at the latest.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._refusal = Refused(None, SHUTTING_DOWN)
        chores = Chores(self._clock)  # a thousand in a row would keep everybody else waiting for half a second
        for gateway in self._gateways:
            chores.add(gateway.close, SHUTTING_DOWN)
        await chores.done()
        left = await self._gateways.emptied(CLOSE_TIMEOUT)
        if left:
            self._log.warn("{count} SSH connections did not end in time", count=left)
        super().stopService()


def host_keys(configured: Iterable[str], state: FilePath[str]) -> list[Key]:
    """
    :param configured: private keys, or paths of such; without any, those in the state directory are used.
    :param state: the state directory.
    :raises InvalidConfig: one cannot be used; every such problem is listed.
    """
    texts = tuple(configured)
    paths = [FilePath(text) for text in texts if "-----BEGIN" not in text]
    inline, problems = [], []
    for number, text in enumerate(texts):
        if "-----BEGIN" in text:
            try:
                inline.append(Key.fromString(text))
            except (BadKeyError, EncryptedKeyError, ValueError) as error:
                problems.append(
                    Problem(
                        path=f"ssh.host_keys[{number}]", message=f"this key cannot be used: {hostkeys.reason(error)}"
                    )
                )
    if problems:
        raise InvalidConfig(problems)
    return inline if inline and not paths else inline + hostkeys.load_or_make(state.child("ssh"), paths)


def explain(fingerprints: Sequence[str], settings: GatewaySettings) -> str:
    """
    What a user reads none of whose keys is known.

    :param fingerprints: of the keys that were offered.
    """
    where = f"at {settings.dashboard_url}" if settings.dashboard_url else "to the operator of this server"
    return "\n".join(
        [
            "ERROR:  This server knows none of your SSH keys, and nobody may connect without one.",
            "ERR_NGROK_1102",
            "",
            "Keys that were offered:",
            *(f"  {fingerprint}" for fingerprint in fingerprints),
            "",
            "1. If you have no key yet, make one:  ssh-keygen -t ed25519",
            f"2. Give the public half, ~/.ssh/id_ed25519.pub, {where}.",
            "   The operator adds it to config.yaml, as a public_key under ssh_credentials,",
            "   or to a file that ssh.authorized_keys names.",
            "3. Connect again. To offer one certain key:  ssh -i ~/.ssh/id_ed25519 -o IdentitiesOnly=yes",
        ]
    )
