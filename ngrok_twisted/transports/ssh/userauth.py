"""
``ssh-userauth``: public keys only, and a text that explains a refusal.

The key whose signature verified is the one that is authorised; a key that was merely offered never is (the mistake of
CVE-2024-45337). Sources: RFC 4252, RFC 4256 (keyboard-interactive), spec/ssh-tunnels.md section 10.2.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from typing import Any, Callable, Sequence

from twisted.conch.error import ValidPublicKey
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.service import SSHService
from twisted.cred.credentials import SSHPrivateKey
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.ssh_login import SIGNATURES, CertificateLogin, VerifiedKey
from ngrok_twisted.transports.ssh.framing import PROTOCOL_ERROR, PacketError
from ngrok_twisted.transports.ssh.publickey import BadKey, PublicKey, Fields, fingerprint, parse

MSG_USERAUTH_REQUEST = 50
MSG_USERAUTH_FAILURE = 51
MSG_USERAUTH_BANNER = 53
MSG_USERAUTH_PK_OK = 60

NO_MORE_AUTH_METHODS = 14

# Bytes of a user name. It selects the version of the command language; the spec's names are shorter by far.
MAX_USERNAME = 256

# Requests a client may send before the answer to the first (RFC 4252 section 5.1 allows it to).
MAX_WAITING = 8

# What the signed request asks for, the same for all: service, method, and that there is a signature.
_SIGNED_REQUEST = NS(b"ssh-connection") + NS(b"publickey") + b"\1"

NO_KEY = "ERROR:  No public key was sent. Log in with an SSH key that is known to your account.\nERR_NGROK_1100"
TOO_MANY_KEYS = (
    "ERROR:  Too many public keys were sent ({count}, the limit is {limit}). "
    "Name one with -o IdentitiesOnly=yes -i <key file>.\nERR_NGROK_1101"
)


class PublicKeyAuth(SSHService):
    """
    Lets one client in.

    The methods named in a failure are ``publickey`` and, until it was used, ``keyboard-interactive``: a client that has
    no key left tries that one, and is shown why.
    """

    name = b"ssh-userauth"
    _log = Logger()
    transport: Any

    def __init__(
        self,
        portal: Portal,
        explain: Callable[[bytes, Sequence[str]], str],
        attempts: int,
        certificates: bool = False,
    ) -> None:
        """
        :param explain: gives the text of a refusal for the fingerprints offered.
        :param attempts: how many keys may be offered.
        :param certificates: whether users may come with certificates.
        """
        self._portal = portal
        self._explain = explain
        self._attempts = attempts
        self._certificates = certificates
        self._tries = 0
        self._offered: dict[bytes, None] = {}  # the hashes of the keys
        self._parsed: tuple[bytes, PublicKey] | None = None
        self._waiting: deque[bytes] = deque()
        self._login: Deferred[Any] | None = None
        self._put_off = False
        self._explained = False
        self._over = False

    def serviceStopped(self) -> None:
        """`SSHService`."""
        self._over = True
        self._waiting.clear()
        login, self._login = self._login, None
        if login is not None:
            login.cancel()

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        """`SSHService`."""
        if messageNum != MSG_USERAUTH_REQUEST:
            self.transport.sendUnimplemented()
        elif len(self._waiting) >= MAX_WAITING:
            raise PacketError(PROTOCOL_ERROR, "too many login requests at once")
        else:
            self._waiting.append(packet)
            self._next()

    def _next(self) -> None:
        if self._waiting and self._login is None and not self._over and not self._put_off:
            self._put_off = True
            self.transport.put_off(self._request, self._waiting.popleft())

    def _request(self, packet: bytes) -> None:
        self._put_off = False
        if not self._over:
            self._serve(packet)
            self._next()

    def _serve(self, packet: bytes) -> None:
        fields = Fields(packet)
        try:
            username, service, method = fields.string(), fields.string(), fields.string()
            if service != b"ssh-connection" or len(username) > MAX_USERNAME:
                raise BadKey("no such service")
            if method == b"publickey":
                self._public_key(username, fields)
            elif method == b"keyboard-interactive":
                self._say_why(username)
            else:
                self._failed(counts=method != b"none")
        except BadKey as error:
            self._log.debug("ssh login refused: {error}", error=error)
            self._failed()

    # -- publickey, RFC 4252 section 7 ---------------------------------------------------------------------------------

    def _public_key(self, username: bytes, fields: Fields) -> None:
        signed, algorithm, blob = fields.raw(1) != b"\0", fields.string(), fields.string()
        self._remember(blob)
        key = self._parse(algorithm, blob)
        if not signed:
            fields.end()
            credentials = self._credentials(key, username, algorithm, blob, None, None)
            self._ask(credentials, self._unproved, lambda: self._acceptable(algorithm, blob))
            return
        signature = fields.string()
        fields.end()
        covered = self._verify(key, username, algorithm, blob, signature)
        credentials = self._credentials(key, username, algorithm, blob, covered, signature)
        self._ask(credentials, lambda result: self._succeeded(username, result), self._failed)

    def _parse(self, algorithm: bytes, blob: bytes) -> PublicKey:
        """
        :raises BadKey: the key, or the key in the certificate, cannot be used, or not with this algorithm.
        """
        if algorithm in SIGNATURES and not self._certificates:
            raise BadKey("certificates are not accepted; the operator switches them on with ssh.user_certificates")
        if self._parsed is not None and self._parsed[0] == blob:
            key = self._parsed[1]  # most clients ask for a key first, and then sign with it
        else:
            key = self._read(algorithm, blob)
        if algorithm not in key.algorithms:
            raise BadKey("the algorithm does not fit the key")
        return key

    def _read(self, algorithm: bytes, blob: bytes) -> PublicKey:
        try:
            key = parse(blob)
        except BadKey as error:
            if algorithm in SIGNATURES:
                self._log.warn("ssh certificate refused: {reason} (from {peer})", reason=error, peer=self._peer_host())
            raise
        self._parsed = blob, key
        return key

    def _credentials(
        self, key: PublicKey, username: bytes, algorithm: bytes, blob: bytes, covered: Any, signature: Any
    ) -> Any:
        if not key.certified:
            # Who signs is verified here, once.
            known = SSHPrivateKey if signature is None else VerifiedKey
            return known(username, algorithm, blob, covered, signature)
        return CertificateLogin(
            username=username,
            algorithm=algorithm,
            blob=blob,
            peer_host=self._peer_host(),
            signature=signature,
            signed=covered,
        )

    def _peer_host(self) -> str:
        return str(getattr(self.transport.transport.getPeer(), "host", ""))

    def _remember(self, blob: bytes) -> None:
        if len(self._offered) < self._attempts:
            self._offered[sha256(blob).digest()] = None

    def _verify(self, key: PublicKey, username: bytes, algorithm: bytes, blob: bytes, signature: bytes) -> bytes:
        """
        :return: the bytes that the signature covers.
        :raises BadKey: it does not verify over this session, user and key.
        """
        message = (
            NS(self.transport.sessionID)
            + bytes((MSG_USERAUTH_REQUEST,))
            + NS(username)
            + _SIGNED_REQUEST
            + NS(algorithm)
            + NS(blob)
        )
        key.verify(algorithm, signature, message)
        return key.signed_data(signature, message)

    def _ask(self, credentials: Any, known: Callable[[Any], None], valid: Callable[[], None]) -> None:
        """
        :param known: called with the portal's answer to credentials that are right.
        :param valid: called without one, when the checker knows the key and misses the signature.
        """
        login = self._login = self._portal.login(credentials, None, Principal)  # type: ignore[arg-type]

        def done(result: Any) -> None:
            self._login = None
            if not self._over:
                known(result)

        def refused(failure: Any) -> None:
            self._login = None
            if self._over:
                return
            if isinstance(failure.value, ValidPublicKey):
                valid()
                return
            if not isinstance(failure.value, UnauthorizedLogin):
                self._log.failure("the login of an SSH client could not be checked", failure=failure)
            self._failed()

        login.addCallbacks(done, refused)
        login.addErrback(self._broken)
        login.addBoth(lambda ignored: self._next())

    def _broken(self, failure: Any) -> None:
        self._log.failure("the session of an SSH client could not be started", failure=failure)
        self.transport.disconnect(PROTOCOL_ERROR, "internal error")

    def _acceptable(self, algorithm: bytes, blob: bytes) -> None:
        self.transport.sendPacket(MSG_USERAUTH_PK_OK, NS(algorithm) + NS(blob))

    def _unproved(self, result: Any) -> None:
        """A checker let somebody in without a signature: that is not for it to decide."""
        result[2]()
        self._failed()

    def _succeeded(self, username: bytes, result: Any) -> None:
        interface, principal, logout = result
        self._over = True
        self.transport.authenticated(principal, username, logout)

    # -- refusals ------------------------------------------------------------------------------------------------------

    def _failed(self, counts: bool = True) -> None:
        self._tries += counts
        if self._tries > self._attempts:
            self._banner(TOO_MANY_KEYS.format(count=self._tries, limit=self._attempts))
            self.transport.disconnect(NO_MORE_AUTH_METHODS, "too many authentication attempts")
            self._over = True
            return
        methods = b"publickey" if self._explained else b"publickey,keyboard-interactive"
        self.transport.sendPacket(MSG_USERAUTH_FAILURE, NS(methods) + b"\0")

    def _say_why(self, username: bytes) -> None:
        if not self._explained:
            self._explained = True
            self._banner(self._explain(username, tuple(map(fingerprint, self._offered))) if self._offered else NO_KEY)
        self._failed()

    def _banner(self, text: str) -> None:
        # RFC 4252 section 5.4: lines end with CR LF; then a language tag.
        lines = "\r\n".join(["", *text.rstrip("\n").split("\n"), "", ""])
        self.transport.sendPacket(MSG_USERAUTH_BANNER, NS(lines.encode("utf-8")) + NS(b""))
