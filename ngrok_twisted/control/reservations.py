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

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.control.drawing import Drawing
from ngrok_twisted.control.entitlement import Entitlement
from ngrok_twisted.control.holdings import Holding, granted, queue_of, same_pool, taken
from ngrok_twisted.control.ownership import Place, ReservationSettings
from ngrok_twisted.control.slots import SlotMemory
from ngrok_twisted.control.weights import Weights
from ngrok_twisted.control.wishes import (
    DEFAULT_PORTS,
    amended,
    amended_claim,
    check_permission,
    check_references,
    endpoint_of,
    former_place,
    is_by_chance,
    url_of,
    wanted_place,
)
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.permissions import require_labels
from ngrok_twisted.interfaces import IReservations
from ngrok_twisted.net.timeouts import IdleWatch
from ngrok_twisted.records.base import KEY_FAMILIES, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.ids import new_id
from ngrok_twisted.turns import Turns

SECONDS = 1.0

#: How long the edge may take to serve a new endpoint; it is normally a turn of the reactor.
PUBLISH_TIMEOUT = 30 * SECONDS

#: Random TCP ports that are tried when another process of the machine has them.
PORT_ATTEMPTS = 20

#: ngrok's number for an endpoint that is not there.
GONE = 333

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
        self._live: dict[Grant, Holding] = {}
        self._at: dict[Place, list[Holding]] = {}
        self._ids: set[str] = set()  # of endpoints that are live or about to be
        self._turns = Turns(clock)
        self._checked: Snapshot | None = None
        self._weights = Weights(settings.account_options_bytes)
        self._memory = SlotMemory(clock, settings.random_name_memory)
        self._entitlement = Entitlement(settings, records, lambda place: self._at.get(place, ()))
        self._drawing = Drawing(settings, random, self._memory, self._entitlement.owned, self._is_wanted)

    def claim(self, session: Any, claim: Claim) -> Deferred[Grant]:
        """
        IReservations.

        A session that ends meanwhile cancels the Deferred; then no endpoint stays behind.
        """
        return Deferred.fromCoroutine(self._weighed(session, claim))

    def release(self, grant: Grant) -> Deferred[None]:
        """
        IReservations.

        :return: a Deferred that fires with ``None`` when the edge no longer serves it. It never fails.
        """
        return succeed(None) if grant not in self._live else self._drop(self._live[grant])

    def amend(self, grant: Grant, claim: Claim) -> Deferred[Grant]:
        """IReservations."""
        return Deferred.fromCoroutine(self._amend(grant, claim))

    def revoke(self, grant: Grant, reason: str) -> Deferred[None]:
        """
        Take a grant away from its session.

        :param reason: what the session's user reads.
        :return: as for `release`.
        """
        return succeed(None) if grant not in self._live else self._evict(self._live[grant], reason)

    def recheck(self, records: Snapshot) -> None:
        """
        Take away what nobody would be granted any more: the records say now that a name or an address belongs to another
        account, to an edge, or to nobody, or what a module needs is gone. Who has it reads why.

        :param records: the current records, when they have changed.
        """
        before, self._checked = self._checked, records
        if before is not None and records.is_same_but(before, KEY_FAMILIES):
            return
        for holding in tuple(self._live.values()):
            place, claim = holding.place, holding.grant.claim
            if place is None or holding.grant not in self._live:
                continue
            try:
                self._entitlement.require(holding.session.principal.account_id, claim, place, holding.random)
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

    async def _weighed(self, session: Any, claim: Claim) -> Grant:
        with self._weights.trial(session.principal.account_id, claim):
            return await self._claim(session, claim)

    async def _claim(self, session: Any, claim: Claim) -> Grant:
        acl = session.principal.acl
        if claim.proto == "labels":
            require_labels(acl, claim.labels)
            return self._hold(Holding(granted(session, claim, None, ""), session, None))
        place = wanted_place(claim, session.principal.account_id, self.settings)
        if place is not None and is_by_chance(claim, place):
            place = None
        check_permission(claim, acl, place)
        check_references(claim, session.principal.account_id, self._records())
        if place is None:
            return await self._take_any(session, claim)
        return await self._take(session, claim, place, random=False)

    async def _take_any(self, session: Any, claim: Claim) -> Grant:
        for recalled in (former_place(claim, self.settings), self._recall(session, claim)):
            if recalled is None:
                continue
            try:
                return await self._take(session, claim, recalled, random=True)
            except Refused as refusal:
                self._log.debug("{place} is not given again: {refusal}", place=recalled, refusal=refusal.message)
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
        account_id = session.principal.account_id
        self._entitlement.require(account_id, claim, place, random)
        queue = queue_of(claim.proto, place)
        waits = queue in self._turns or place in self._at
        async with self._turns.at(queue):
            for old in tuple(self._at.get(place, ())):
                assert old.grant.endpoint is not None
                if not same_pool(claim, old.grant.endpoint, account_id):
                    await self._displace(session, claim, old)
            if waits:  # else nothing has changed since
                self._entitlement.require(account_id, claim, place, random)
            return await self._open(session, claim, place, random)

    async def _open(self, session: Any, claim: Claim, place: Place, random: bool) -> Grant:
        """Have the edge serve a place that is free."""
        now, records = self._clock.seconds(), self._records()
        endpoint = endpoint_of(claim, place, session, self._id(claim, now), now)
        self._ids.add(endpoint.id)
        try:
            await self._serve(endpoint, lambda: self._withdraw(endpoint))
            if self._records() is not records:  # who else is there cannot have changed in this turn
                self._check_again(session, claim, place, random, endpoint)
        except BaseException:
            self._ids.discard(endpoint.id)
            raise
        url = url_of(claim.proto, place, self.settings)
        return self._hold(Holding(granted(session, claim, endpoint, url, random), session, place))

    def _check_again(self, session: Any, claim: Claim, place: Place, random: bool, endpoint: Endpoint) -> None:
        """The records may have changed while the edge was waited for."""
        try:
            self._entitlement.require(session.principal.account_id, claim, place, random)
        except Refused:
            self._withdraw(endpoint)
            raise

    def _id(self, claim: Claim, now: float) -> str:
        """The id that the wish had before, unless somebody else has it; or else a new one."""
        id = "" if claim.former is None else claim.former.endpoint_id
        if id and id not in self._ids and self._records().get(Endpoint, id) is None:
            return id
        return new_id(Endpoint.prefix, now, self._random_bytes)

    # -- what changes in place ---------------------------------------------------------------------------------------

    async def _amend(self, grant: Grant, claim: Claim) -> Grant:
        place = self._held(grant).place
        claim = amended_claim(grant.claim, claim)
        with self._weights.trial(self._held(grant).session.principal.account_id, claim):
            if place is None or grant.endpoint is None:
                return self._replace(grant, claim, None)
            async with self._turns.at(queue_of(claim.proto, place)):
                self._check_amended(self._held(grant), claim, place)
                endpoint = amended(grant.endpoint, claim, self._clock.seconds())
                await self._serve(endpoint, lambda: self._put_back(grant))
                return self._replace(grant, claim, endpoint)

    def _check_amended(self, holding: Holding, claim: Claim, place: Place) -> None:
        """Whoever leaves a pool, while others are in it, would keep them out."""
        account_id = holding.session.principal.account_id
        self._entitlement.require(account_id, claim, place, holding.random)
        for other in self._at[place]:
            assert other.grant.endpoint is not None
            if other is not holding and not same_pool(claim, other.grant.endpoint, account_id):
                raise taken(holding.grant.url)

    def _held(self, grant: Grant) -> Holding:
        holding = self._live.get(grant)
        if holding is None:
            raise Refused(GONE, "There is no such endpoint any more.")
        return holding

    def _replace(self, grant: Grant, claim: Claim, endpoint: Endpoint | None) -> Grant:
        """Hold another grant in the place of one, in the same order."""
        holding = self._held(grant)
        self._weights.give_back(holding.session.principal.account_id, grant.claim)
        holding.grant = granted(holding.session, claim, endpoint, grant.url, grant.random)
        self._live = {one.grant: one for one in self._live.values()}
        return holding.grant

    def _put_back(self, grant: Grant) -> None:
        if grant in self._live:
            self._tell(grant.endpoint, None)

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
        self._weights.give_back(holding.session.principal.account_id, holding.grant.claim)
        if holding.place is None:
            return succeed(None)
        self._at[holding.place].remove(holding)
        if not self._at[holding.place]:
            del self._at[holding.place]
        if holding.random:
            self._remember(self._memory.leave, holding)
        assert holding.grant.endpoint is not None
        self._ids.discard(holding.grant.endpoint.id)
        return self._withdraw(holding.grant.endpoint)

    async def _serve(self, endpoint: Endpoint, undo: Callable[[], Any]) -> None:
        """
        Have the edge serve it.

        :param undo: called where it is not known whether the edge does.
        """
        served: Deferred[None] = maybeDeferred(self._publish, endpoint, None)
        watch = IdleWatch(self._clock, PUBLISH_TIMEOUT, served.cancel)
        try:
            await served
        except Refused:
            raise
        except Exception:
            undo()
            if watch.running:
                raise
            raise Refused(None, "The server is too busy to open the endpoint. Please try again later.") from None
        finally:
            watch.stop()

    def _withdraw(self, endpoint: Endpoint) -> Deferred[None]:
        return self._tell(None, endpoint)

    def _tell(self, put: Endpoint | None, delete: Endpoint | None) -> Deferred[None]:
        """What the edge must learn, whatever it makes of it."""
        done: Deferred[None] = maybeDeferred(self._publish, put, delete)
        done.addErrback(lambda failure: self._log.failure("an endpoint could not be withdrawn or put back", failure))
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
