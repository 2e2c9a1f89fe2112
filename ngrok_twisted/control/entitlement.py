"""
`Entitlement`: whether an account may have a place now, by the records and by who is online.
"""

from __future__ import annotations

from typing import Callable, Iterable

from ngrok_twisted.claim import Claim
from ngrok_twisted.control.holdings import Holding, same_pool, taken
from ngrok_twisted.control.ownership import Ownership, Place, ReservationSettings
from ngrok_twisted.control.wishes import check_references, url_of
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Snapshot

#: The ports of the two schemes that browsers take for one site.
_SITE_PORTS = (443, 80)


class Entitlement:
    """Asks; it keeps nothing but an index of the current records."""

    def __init__(
        self,
        settings: ReservationSettings,
        records: Callable[[], Snapshot],
        holders: Callable[[Place], Iterable[Holding]],
    ) -> None:
        """
        :param records: gives the current records, without live endpoints.
        :param holders: who has a place now.
        """
        self._settings = settings
        self._records = records
        self._holders = holders
        self._ownership = (Snapshot(), Ownership(Snapshot()))

    def owned(self) -> Ownership:
        """What the current records say."""
        snapshot = self._records()
        if self._ownership[0] is not snapshot:
            self._ownership = (snapshot, Ownership(snapshot))
        return self._ownership[1]

    def require(self, account_id: str, claim: Claim, place: Place, random: bool) -> None:
        """
        :param random: the place was drawn, now or earlier, so that it need not be reserved. What the account itself has
            reserved by now is its own all the same.
        :raises Refused: the account may not have this place, or a module asks for what it does not have.
        """
        check_references(claim, account_id, self._records())
        owned = self.owned()
        if owned.is_edge(place):
            raise Refused(381, f"'{place.host}:{place.port}' belongs to an edge. Remove it from the edge first.")
        for endpoint in owned.cloud_endpoints(place):
            if not same_pool(claim, endpoint, account_id):
                raise taken(url_of(claim.proto, place, self._settings))
        if claim.proto == "tcp" and not place.namespace:
            self._require_address(account_id, place, random)
        elif not place.namespace:
            self._require_name(account_id, place, random)

    def _require_address(self, account_id: str, place: Place, random: bool) -> None:
        owned = self.owned()
        if not random or owned.owns_address(account_id, place.host, place.port):
            owned.check_address(account_id, place.host, place.port, self._settings)
        elif owned.is_reserved_address(place.host, place.port):
            raise Refused(309, f"'{place.host}:{place.port}' is reserved by now.")

    def _require_name(self, account_id: str, place: Place, random: bool) -> None:
        owned = self.owned()
        self._require_site(account_id, place)
        if not random or owned.permits(account_id, place.host):
            owned.check_name(account_id, place.host, self._settings)
        elif owned.is_reserved(place.host):
            raise Refused(320, f"'{place.host}' is reserved by now.")

    def _require_site(self, account_id: str, place: Place) -> None:
        """
        One name is one account's on all its ports: a page on ``http:`` could set cookies for that on ``https:``.
        """
        owned = self.owned()
        for other in [Place("", place.host, port) for port in _SITE_PORTS if port != place.port]:
            holders, stored, edge = self._holders(other), owned.cloud_endpoints(other), owned.edge_account(other)
            if not (holders or stored or edge):
                continue  # as for most names
            accounts = {holding.session.principal.account_id for holding in holders}
            accounts |= {endpoint.account_id for endpoint in stored}
            accounts.add(edge or account_id)
            if accounts - {account_id}:
                raise Refused(320, f"The name '{place.host}' is in use by another account.")
