"""
`Tunnels`: the live table of what is connected right now, the only mutable thing on the way of a request.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

from twisted.logger import Logger

from ngrok_twisted.choosing import Load

_log = Logger()

#: Selections of labels whose tunnels are remembered, each some 500 bytes: more than backends of most servers.
MATCHES_MAX = 1000

# An account's id, and labels.
Selection = tuple[str, frozenset[tuple[str, str]]]


class Tunnels:
    """
    Every online tunnel, by id, by the endpoint it serves and by its labels, with what is known of its load.

    Look-ups are dictionary reads; `group` is remembered until a tunnel with labels comes or goes.

    :ivar revision: another number whenever a tunnel came or went, for those who remember what they found.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._by_id: dict[str, Load] = {}
        self._by_endpoint: dict[str, Load] = {}
        self._labelled: dict[str, Load] = {}
        self._matches: dict[Selection, tuple[Load, ...]] = {}
        self._listeners: list[Callable[[str, Any], None]] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Any]:
        return iter([load.target for load in self._by_id.values()])

    def get(self, id: str) -> Any:
        """The tunnel with this id, or ``None``."""
        load = self._by_id.get(id)
        return None if load is None else load.target

    def is_here(self, id: str) -> bool:
        """Whether this process itself has a tunnel with this id."""
        load = self._by_id.get(id)
        return load is not None and _is_here(load.target)

    def serving(self, endpoint_id: str) -> Any:
        """The tunnel that serves this endpoint, or ``None`` while there is none."""
        load = self._by_endpoint.get(endpoint_id)
        return None if load is None else load.target

    def load_of(self, endpoint_id: str) -> Load | None:
        """The load of the tunnel that serves this endpoint, or ``None`` while there is none."""
        return self._by_endpoint.get(endpoint_id)

    def matching(self, account_id: str, labels: Mapping[str, str]) -> tuple[Any, ...]:
        """
        The account's labelled tunnels that carry every one of these labels, in the order they came online.
        """
        return tuple(load.target for load in self.group((account_id, frozenset(labels.items()))))

    def group(self, selection: Selection) -> tuple[Load, ...]:
        """
        The loads of an account's labelled tunnels that carry every one of these labels, in the order they came online.

        :param selection: the account's id, and pairs of a label's name and value.
        """
        found = self._matches.get(selection)
        if found is None:
            account_id, wanted = selection
            if len(self._matches) >= MATCHES_MAX:
                self._matches.clear()
            found = self._matches[selection] = tuple(
                load
                for load in self._labelled.values()
                if load.target.account_id == account_id and wanted <= load.target.labels.items()
            )
        return found

    def online(self, tunnel: Any) -> None:
        """
        A tunnel is ready for traffic. If another process had one with this id, which has a ``place``, it has moved here.

        :raises ValueError: a tunnel with this id is online already.
        """
        if self.is_here(tunnel.id):
            raise ValueError(f"tunnel {tunnel.id} is online already")
        if tunnel.id in self._by_id:
            self.offline(self.get(tunnel.id))
        load = self._by_id[tunnel.id] = Load(tunnel)
        self.revision += 1
        if tunnel.endpoint_id is not None:
            self._by_endpoint[tunnel.endpoint_id] = load
        if tunnel.labels:
            self._labelled[tunnel.id] = load
            self._matches.clear()
        if _is_here(tunnel):
            _log.info(
                "tunnel {tunnel} online for {url}, brought by session {session}",
                tunnel=tunnel.id,
                url=tunnel.url or dict(tunnel.labels),
                session=tunnel.session_id,
            )
        self._tell("online", tunnel)

    def offline(self, tunnel: Any) -> None:
        """A tunnel is gone. Nothing happens if it is not the one that is online under its id."""
        load = self._by_id.get(tunnel.id)
        if load is None or load.target is not tunnel:
            return
        del self._by_id[tunnel.id]
        self.revision += 1
        if self._by_endpoint.get(tunnel.endpoint_id) is load:
            del self._by_endpoint[tunnel.endpoint_id]
        if self._labelled.pop(tunnel.id, None) is not None:
            self._matches.clear()
        if _is_here(tunnel):
            _log.info("tunnel {tunnel} offline for {url}", tunnel=tunnel.id, url=tunnel.url or dict(tunnel.labels))
        self._tell("offline", tunnel)

    def amended(self, tunnel: Any) -> None:
        """What is said of a tunnel that is online has changed."""
        if self.get(tunnel.id) is tunnel:
            self._tell("amended", tunnel)

    def subscribe(self, listener: Callable[[str, Any], None]) -> Callable[[], None]:
        """
        :param listener: called with ``"online"``, ``"offline"`` or ``"amended"`` and the tunnel; what it raises is logged.
        :return: a callable that ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, what: str, tunnel: Any) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(what, tunnel)
            except Exception:
                _log.failure("a listener failed when tunnel {tunnel} went {what}", tunnel=tunnel.id, what=what)


def _is_here(tunnel: Any) -> bool:
    """Whether this process has the tunnel itself; one of another process has a ``place``, and is logged there."""
    return getattr(tunnel, "place", None) is None
