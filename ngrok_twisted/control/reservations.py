"""
`Reservations`: who has which name or address right now, and what happens when two want the same.

Claims for one place are answered one after the other, so that a place is never given twice while somebody waits for an
old session's sign of life or for the edge. A grant is fenced by its identity: once it was taken away, giving it back
changes nothing for whoever has the place now.
"""

from __future__ import annotations

from os import urandom
from random import Random
from typing import Any, Callable

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, maybeDeferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.control.drawing import Drawing
from ngrok_twisted.control.holdings import Holding, granted, queue_of, same_pool, taken
from ngrok_twisted.control.ownership import Ownership, Place, ReservationSettings
from ngrok_twisted.control.slots import SlotMemory
from ngrok_twisted.control.turns import Turns
from ngrok_twisted.control.wishes import (
    DEFAULT_PORTS,
    check_permission,
    check_references,
    endpoint_of,
    url_of,
    wanted_place,
)
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.permissions import require_labels
from ngrok_twisted.interfaces import IReservations
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.ids import new_id

SECONDS = 1.0

#: How long the edge may take to serve a new endpoint; it is normally a turn of the reactor.
PUBLISH_TIMEOUT = 30 * SECONDS

#: Random TCP ports that are tried when another process of the machine has them.
PORT_ATTEMPTS = 20

Publish = Callable[[Endpoint | None, Endpoint | None], Deferred[None]]


@implementer(IReservations)
class Reservations:
    """
    :ivar settings: the `ReservationSettings`.
    """

    _log = Logger()

    def __init__(
        self,
        settings: ReservationSettings,
        records: Callable[[], Snapshot],
        publish: Publish,
        clock: Any,
        random: Random,
        random_bytes: Callable[[int], bytes] = urandom,
    ) -> None:
        """
        :param records: gives the current records, without live endpoints.
        :param publish: ``publish(put, delete)`` makes the edge serve one endpoint and no longer another. Its Deferred
            fires when the edge does, or fails with `Refused` and then nothing has changed. Calls take effect in order.
        :param clock: an `IReactorTime` whose seconds are those since the epoch.
        :param random: for names and ports.
        :param random_bytes: for ids.
        """
        self.settings = settings
        self._records = records
        self._publish = publish
        self._clock = clock
        self._random_bytes = random_bytes
        self._ownership = (Snapshot(), Ownership(Snapshot()))
        self._live: dict[Grant, Holding] = {}
        self._at: dict[Place, list[Holding]] = {}
        self._turns = Turns(clock)
        self._memory = SlotMemory(clock, settings.random_name_memory)
        self._drawing = Drawing(settings, random, self._memory, self._owned, self._is_wanted)

    def claim(self, session: Any, claim: Claim) -> Deferred[Grant]:
        """
        IReservations.

        A session that ends meanwhile cancels the Deferred; then no endpoint stays behind.
        """
        return Deferred.fromCoroutine(self._claim(session, claim))

    def release(self, grant: Grant) -> Deferred[None]:
        """
        IReservations.

        :return: a Deferred that fires with ``None`` when the edge no longer serves it. It never fails.
        """
        holding = self._live.get(grant)
        return succeed(None) if holding is None else self._drop(holding)

    def revoke(self, grant: Grant, reason: str) -> Deferred[None]:
        """
        Take a grant away from its session.

        :param reason: what the session's user reads.
        :return: as for `release`.
        """
        holding = self._live.get(grant)
        return succeed(None) if holding is None else self._evict(holding, reason)

    def recheck(self, records: Snapshot) -> None:
        """
        Take away what nobody would be granted any more: the records say now that a name or an address belongs to another
        account, to an edge, or to nobody, or what a module needs is gone. Who has it reads why.

        :param records: the current records, when they have changed.
        """
        for holding in tuple(self._live.values()):
            place, claim = holding.place, holding.grant.claim
            if place is None or holding.grant not in self._live:
                continue
            principal = holding.session.principal
            random = holding.random and not self._is_own(principal.account_id, claim.proto, place)
            try:
                self._check(principal, claim, place, random)
            except Refused as refusal:
                self._log.info("{url} is taken away: {refusal}", url=holding.grant.url, refusal=refusal.message)
                self._evict(holding, f"{holding.grant.url} was taken away. {refusal.message}")

    def listing(self, account_id: str) -> tuple[Grant, ...]:
        """The live grants of an account, oldest first."""
        found = (holding for holding in self._live.values() if holding.session.principal.account_id == account_id)
        return tuple(holding.grant for holding in found)

    def holder(self, url: str) -> Grant | None:
        """The live grant of this URL, as it was shown to the user; of a pool, the oldest."""
        return next((grant for grant in self._live if grant.endpoint is not None and grant.url == url), None)

    # -- one claim ---------------------------------------------------------------------------------------------------

    async def _claim(self, session: Any, claim: Claim) -> Grant:
        acl = session.principal.acl
        if claim.proto == "labels":
            require_labels(acl, claim.labels)
            return self._hold(Holding(granted(session, claim, None, ""), session, None, False))
        place = wanted_place(claim, session.principal.account_id, self.settings)
        check_permission(claim, acl, place)
        check_references(claim, session.principal.account_id, self._records())
        if place is None:
            return await self._take_any(session, claim)
        return await self._take(session, claim, place, random=False)

    async def _take_any(self, session: Any, claim: Claim) -> Grant:
        recalled = self._recall(session, claim)
        if recalled is not None:
            try:
                return await self._take(session, claim, recalled, random=True)
            except Refused:
                self._log.debug("{place} could not be given again", place=recalled)
        if claim.proto != "tcp":
            return await self._take_name(session, claim, self._drawing.name(claim.proto))
        for _ in range(PORT_ATTEMPTS):
            place = self._drawing.port()
            try:
                return await self._take(session, claim, place, random=True)
            except Refused as refusal:
                self._log.warn("{place} could not be opened: {refusal}", place=place, refusal=refusal.message)
        raise Refused(None, f"None of {PORT_ATTEMPTS} random TCP ports could be opened. Please try again later.")

    async def _take_name(self, session: Any, claim: Claim, place: Place) -> Grant:
        """
        Take a new random name. It is remembered at once, so that the same wish for another scheme gets it too.
        """
        wish = (session.principal.credential_id, claim.slot, place.host, 0)
        self._memory.note(*wish)
        try:
            return await self._take(session, claim, place, random=True)
        except Exception:
            self._memory.leave(*wish)
            raise

    async def _take(self, session: Any, claim: Claim, place: Place, random: bool) -> Grant:
        self._check(session.principal, claim, place, random)
        async with self._turns.at(queue_of(claim.proto, place)):
            for old in tuple(self._at.get(place, ())):
                assert old.grant.endpoint is not None
                if not same_pool(claim, old.grant.endpoint, session.principal.account_id):
                    await self._displace(session, claim, old)
            self._check(session.principal, claim, place, random)
            now = self._clock.seconds()
            endpoint = endpoint_of(claim, place, session, new_id(Endpoint.prefix, now, self._random_bytes), now)
            await self._serve(endpoint)
            self._check_again(session.principal, claim, place, random, endpoint)
            url = url_of(claim.proto, place, self.settings)
            return self._hold(Holding(granted(session, claim, endpoint, url), session, place, random))

    def _check(self, principal: Any, claim: Claim, place: Place, random: bool) -> None:
        """
        Ask the records, and who is online: once before waiting, and once more after it.

        :raises Refused: the account may not have this place, or a module asks for what it does not have.
        """
        check_references(claim, principal.account_id, self._records())
        owned = self._owned()
        if owned.is_edge(place):
            raise Refused(381, f"'{place.host}:{place.port}' belongs to an edge. Remove it from the edge first.")
        for endpoint in owned.cloud_endpoints(place):
            if not same_pool(claim, endpoint, principal.account_id):
                raise taken(url_of(claim.proto, place, self.settings))
        if claim.proto == "tcp" and not place.namespace:
            self._check_address(principal.account_id, place, random)
        elif not place.namespace:
            self._check_name(principal.account_id, place, random)

    def _check_again(self, principal: Any, claim: Claim, place: Place, random: bool, endpoint: Endpoint) -> None:
        """The records may have changed while the edge was waited for."""
        try:
            self._check(principal, claim, place, random)
        except Refused:
            self._withdraw(endpoint)
            raise

    def _check_address(self, account_id: str, place: Place, random: bool) -> None:
        owned = self._owned()
        if not random:
            owned.check_address(account_id, place.host, place.port, self.settings)
        elif owned.is_reserved_address(place.host, place.port):
            raise Refused(309, f"'{place.host}:{place.port}' is reserved by now.")

    def _check_name(self, account_id: str, place: Place, random: bool) -> None:
        owned = self._owned()
        self._check_sibling(account_id, place)
        if not random:
            owned.check_name(account_id, place.host, self.settings)
        elif owned.is_reserved(place.host):
            raise Refused(320, f"'{place.host}' is reserved by now.")

    def _check_sibling(self, account_id: str, place: Place) -> None:
        """
        One name is one account's on all its ports: a page on ``http:`` could set cookies for that on ``https:``.
        """
        for other in (Place("", place.host, port) for port in (443, 80) if port != place.port):
            accounts = {holding.session.principal.account_id for holding in self._at.get(other, ())}
            accounts |= {endpoint.account_id for endpoint in self._owned().cloud_endpoints(other)}
            accounts.add(self._owned().edge_account(other) or account_id)
            if accounts - {account_id}:
                raise Refused(320, f"The name '{place.host}' is in use by another account.")

    def _is_own(self, account_id: str, proto: str, place: Place) -> bool:
        """Whether the account itself has reserved this place, which it may have got by chance before."""
        owned = self._owned()
        if proto == "tcp":
            return owned.owns_address(account_id, place.host, place.port)
        return owned.permits(account_id, place.host)

    def _owned(self) -> Ownership:
        snapshot = self._records()
        if self._ownership[0] is not snapshot:
            self._ownership = (snapshot, Ownership(snapshot))
        return self._ownership[1]

    # -- conflicts ---------------------------------------------------------------------------------------------------

    async def _displace(self, session: Any, claim: Claim, old: Holding) -> None:
        """
        Make an old session give way, or refuse the new one.

        :raises Refused: 334, the old one stays.
        """
        stranger = old.session.principal.credential_id != session.principal.credential_id
        if stranger or claim.takeover == "never" or old.session.id == session.id:
            raise taken(old.grant.url)
        if claim.takeover != "always" and await self._answers(old.session):
            raise taken(old.grant.url)
        if old.grant in self._live:
            self._evict(old, f"Another session of your key has taken over {old.grant.url}.")

    async def _answers(self, session: Any) -> bool:
        """Whether the session shows a sign of life in time."""
        try:
            await maybeDeferred(session.probe).addTimeout(self.settings.takeover_timeout, self._clock)
        except CancelledError:
            raise
        except Exception as error:
            # Whatever a broken connection fails with: it did not answer.
            self._log.debug("session {session} gives no sign of life: {error}", session=session.id, error=repr(error))
            return False
        return True

    def _evict(self, holding: Holding, reason: str) -> Deferred[None]:
        done = self._drop(holding)
        try:
            holding.session.revoke(holding.grant, reason)
        except Exception:
            self._log.failure("session {session} could not be told of a revocation", session=holding.session.id)
        return done

    # -- what is held ------------------------------------------------------------------------------------------------

    def _hold(self, holding: Holding) -> Grant:
        self._live[holding.grant] = holding
        if holding.place is not None:
            self._at.setdefault(holding.place, []).append(holding)
        if holding.random:
            self._remember(self._memory.note, holding)
        return holding.grant

    def _drop(self, holding: Holding) -> Deferred[None]:
        del self._live[holding.grant]
        if holding.place is None:
            return succeed(None)
        self._at[holding.place].remove(holding)
        if not self._at[holding.place]:
            del self._at[holding.place]
        if holding.random:
            self._remember(self._memory.leave, holding)
        return self._withdraw(holding.grant.endpoint)

    async def _serve(self, endpoint: Endpoint) -> None:
        """Have the edge serve it; whatever goes wrong, it is not served afterwards."""
        try:
            await maybeDeferred(self._publish, endpoint, None).addTimeout(PUBLISH_TIMEOUT, self._clock)
        except Refused:
            raise
        except TimeoutError:
            self._withdraw(endpoint)
            raise Refused(None, "The server is too busy to open the endpoint. Please try again later.") from None
        except Exception:
            self._withdraw(endpoint)
            raise

    def _withdraw(self, endpoint: Endpoint | None) -> Deferred[None]:
        done: Deferred[None] = maybeDeferred(self._publish, None, endpoint)
        done.addErrback(lambda failure: self._log.failure("an endpoint could not be withdrawn", failure))
        return done

    # -- random places -----------------------------------------------------------------------------------------------

    def _recall(self, session: Any, claim: Claim) -> Place | None:
        """The place this wish had last, unless somebody else is there now."""
        found = self._memory.recall(session.principal.credential_id, claim.slot)
        if found is None or (found[1] != 0) != (claim.proto == "tcp"):
            return None
        place = Place("", found[0], found[1] or DEFAULT_PORTS[claim.proto])
        holders = self._at.get(place, ())
        return place if all(old.random and old.grant.claim.slot == claim.slot for old in holders) else None

    def _remember(self, how: Callable[[str, str | None, str, int], None], holding: Holding) -> None:
        assert holding.place is not None
        port = holding.place.port if holding.grant.claim.proto == "tcp" else 0
        how(holding.session.principal.credential_id, holding.grant.claim.slot, holding.place.host, port)

    def _is_wanted(self, proto: str, place: Place) -> bool:
        return place in self._at or queue_of(proto, place) in self._turns
