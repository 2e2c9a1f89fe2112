"""
`Returning`: agents that were online before a restart in place, and come back any moment.

For a few seconds visitors of what is theirs wait, instead of reading that nobody is there.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping
from urllib.parse import urlsplit

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.edge.router import NameTable

#: What somebody waits for: a name, a port, or an account by its id.
_Key = str | int


def online(tunnels: Iterable[Any]) -> Mapping[str, Any]:
    """
    What agents have online, in the form in which one program hands it over to the next.

    :return: the names and ports of their URLs under ``urls``, and under ``accounts`` the number of tunnels of each account.
    """
    accounts: dict[str, int] = {}
    urls: set[_Key] = set()
    for tunnel in tunnels:
        accounts[tunnel.account_id] = accounts.get(tunnel.account_id, 0) + 1
        urls.update(_place(tunnel))
    return {"urls": sorted(urls, key=str), "accounts": accounts}


def leaving(tunnels: Iterable[Any]) -> Mapping[str, Any]:
    """
    The same for some tunnels that are online and are about to go: none of those with labels is missing yet.
    """
    found = tuple(tunnels)
    urls = {place for tunnel in found for place in _place(tunnel)}
    return {"urls": sorted(urls, key=str), "accounts": {tunnel.account_id: 0 for tunnel in found if tunnel.labels}}


def _place(tunnel: Any) -> list[_Key]:
    """The name or port of a tunnel's URL; nothing if it has none, since it serves edges by its labels."""
    parts = urlsplit(tunnel.url or "")
    place = parts.port if parts.scheme == "tcp" else parts.hostname
    return [] if place is None else [place]


class Returning:
    """
    Who is expected, and who waits for them.
    """

    _log = Logger()

    def __init__(self, before: Mapping[str, Any], tunnels: Any, clock: Any) -> None:
        """
        :param before: what was `online`.
        :param tunnels: the live `ngrok_twisted.tunnels.Tunnels`.
        :param clock: an ``IReactorTime``.
        """
        places = before.get("urls", ())
        self._names = NameTable({place: place for place in places if isinstance(place, str)})
        self._places = frozenset(places)
        self._expected: set[_Key] = set(places)
        self._numbers = dict(before.get("accounts", {}))
        self._expected.update(self._numbers)
        self._waiting: dict[_Key, list[Callable[[], Any]]] = {}
        self._clock = clock
        self._timeout: IDelayedCall | None = None
        self._ended: Callable[[], Any] = lambda: None
        self._unsubscribe = tunnels.subscribe(self._changed)

    def begin(self, seconds: float, ended: Callable[[], Any]) -> None:
        """
        Agents can come back from now on, and are expected for so long.

        :param ended: called once when nobody is expected any more.
        """
        self._ended = ended
        self._timeout = self._clock.callLater(seconds, self.end)

    def hold_name(self, name: str | None, owner: Any, go_on: Callable[[], Any]) -> bool:
        """
        Wait for whoever serves a name, if that is an agent that is expected.

        :param owner: who has the name now: something with an ``account_id``, or ``None``.
        :param go_on: called once when the agent is there, or is not expected any more.
        :return: whether there is something to wait for. If not, ``go_on`` is not called.
        """
        known = None if name is None else self._names.get(name)
        return self._hold(getattr(owner, "account_id", "") if known is None else known, go_on)

    def hold_port(self, port: int, owner: Any, go_on: Callable[[], Any]) -> bool:
        """As `hold_name`, for a public TCP port."""
        return self._hold(port if port in self._places else getattr(owner, "account_id", ""), go_on)

    def end(self) -> None:
        """Nobody is expected any more; whoever waits goes on."""
        self._unsubscribe()
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        for key in tuple(self._expected):
            self._release(key)
        self._ended()

    def _hold(self, key: _Key, go_on: Callable[[], Any]) -> bool:
        if key not in self._expected:
            return False
        self._waiting.setdefault(key, []).append(go_on)
        return True

    def _changed(self, what: str, tunnel: Any) -> None:
        if what == "amended":
            return
        account = tunnel.account_id
        self._numbers[account] = self._numbers.get(account, 0) + (1 if what == "offline" else -1)
        if what == "online":
            for key in _place(tunnel):
                self._release(key)
            if self._numbers[account] <= 0:
                self._release(account)

        if not self._expected:
            self.end()

    def _release(self, key: _Key) -> None:
        self._expected.discard(key)
        for go_on in self._waiting.pop(key, ()):
            try:
                go_on()
            except Exception:
                self._log.failure("a visitor that had waited could not go on")


class HeldRequest(Resource):
    """
    Answers a request when its site is to be asked again, with what it finds then.
    """

    isLeaf = True

    def __init__(self, site: Any, request: Any) -> None:
        """
        :param site: the `ngrok_twisted.edge.site.Site`.
        """
        super().__init__()
        self._site = site
        self._request = request

    def render(self, request: Any) -> Any:
        """IResource."""
        return NOT_DONE_YET

    def go_on(self) -> None:
        """It is time."""
        try:
            resource = self._site.resource_for(self._request)
        except Exception:
            self._request.fail(Failure())
        else:
            self._request.answer_with(resource)
