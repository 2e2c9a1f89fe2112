"""
`Access`: who may call the API, and how often.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Callable, Iterator

from twisted.logger import Logger

from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.limits import RollingLimit, neighbourhood
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.base import Snapshot

#: ngrok's codes: the header cannot be read; the caller's address is shut out; too many at once; too many in a minute.
BAD_AUTHORIZATION, ADDRESS_REFUSED, TOO_MANY_AT_ONCE, TOO_MANY = 201, 220, 225, 226

#: Calls of one account that are worked on at a time: each may hold a body of a megabyte.
AT_ONCE_MAX = 200

#: Requests for public methods from one address in any minute: people and tools that read what the API looks like.
PUBLIC_PER_MINUTE = 60

#: Authorizations that are known to be good, 32 bytes each.
PROVEN_MAX = 10_000

Admitted = Callable[[Snapshot, str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLimits:
    """
    :ivar requests_per_minute: requests of one account in any minute; 0 for no limit.
    :ivar failures_per_minute: refused keys from one address in any minute; 0 for no limit.
    """

    requests_per_minute: int = 6000
    failures_per_minute: int = 60


class Access:
    """
    The doors that a request passes before it is looked at: its key, its account's share, its address.

    Whoever sends too many wrong keys is not asked for another one. The address alone does not shut out its neighbours: an
    authorization that was good before is looked at nevertheless, since behind one address there may be a whole office, and
    behind a proxy everybody.
    """

    _log = Logger()

    def __init__(
        self, records: Callable[[], Snapshot], keys: Any, admitted: Admitted, clock: Any, limits: AccessLimits
    ) -> None:
        """
        :param records: gives the records in force.
        :param keys: the `ngrok_twisted.iam.api_keys.APIKeys`.
        :param admitted: says whether the IP restrictions of an account let an address use the API.
        :param clock: an ``IReactorTime``.
        """
        self._records = records
        self._keys = keys
        self._admitted = admitted
        self._requests = RollingLimit(clock, limits.requests_per_minute)
        self._public = RollingLimit(clock, PUBLIC_PER_MINUTE)
        self._failures = RollingLimit(clock, limits.failures_per_minute)
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._at_once: Counter[str] = Counter()

    def enter(self, authorizations: list[bytes], peer_host: str) -> Principal:
        """
        :param authorizations: the values of the request's ``Authorization`` fields.
        :param peer_host: the caller's IP address.
        :raises APIError: it may not.
        """
        principal = self._authenticated(authorizations, peer_host)
        self._hold_back(self._requests.wait(principal.account_id))
        self._requests.count(principal.account_id)
        if not self._admitted(self._records(), principal.account_id, peer_host):
            message = f"The IP restrictions of this account do not let {peer_host} use the API."
            raise APIError(ADDRESS_REFUSED, message)
        return principal

    def confirm(self, authorizations: list[bytes]) -> None:
        """
        To be called once a body is there: the key may have been deleted while it was sent.

        :raises APIError: it is not good any more.
        """
        try:
            self._principal(authorizations)
        except Refused as refused:
            raise APIError.refused(refused) from None

    def enter_public(self, peer_host: str) -> None:
        """
        For what needs no key.

        :raises APIError: too many requests came from the address.
        """
        address = neighbourhood(peer_host)
        self._hold_back(self._public.wait(address))
        self._public.count(address)

    @contextmanager
    def working(self, account_id: str) -> Iterator[None]:
        """
        Around the work for a call.

        :raises APIError: too many calls of the account are being worked on.
        """
        if self._at_once[account_id] >= AT_ONCE_MAX:
            raise APIError(TOO_MANY_AT_ONCE, "Too many requests at the same time. Try again soon.", retry_after=1)
        self._at_once[account_id] += 1
        try:
            yield
        finally:
            self._at_once[account_id] -= 1
            if not self._at_once[account_id]:
                del self._at_once[account_id]

    def _hold_back(self, wait: int) -> None:
        if wait:
            raise APIError(TOO_MANY, f"Too many requests. Try again in {wait} seconds.", retry_after=wait)

    def _authenticated(self, authorizations: list[bytes], peer_host: str) -> Principal:
        address = neighbourhood(peer_host)
        shown = sha256(b"\0".join(authorizations)).digest()
        wait = self._failures.wait(address)
        if wait and shown not in self._proven:
            message = f"Too many requests with a wrong API key came from this address. Try again in {wait} seconds."
            raise APIError(TOO_MANY, message, retry_after=wait)
        try:
            principal = self._principal(authorizations)
        except Refused as refused:
            self._proven.pop(shown, None)
            self._failures.count(address)
            raise APIError.refused(refused) from None
        self._proven[shown] = None
        self._proven.move_to_end(shown)
        if len(self._proven) > PROVEN_MAX:
            self._proven.popitem(last=False)
        return principal

    def _principal(self, authorizations: list[bytes]) -> Principal:
        """
        :raises Refused: they name nobody who may.
        """
        if len(authorizations) > 1:
            raise Refused(BAD_AUTHORIZATION, "The request has more than one Authorization header. Send one.")
        principal: Principal = self._keys.principal_for(authorizations[0].decode("latin-1") if authorizations else None)
        return principal
