"""
`Certificates`: the certificate for a name, as a context that a handshake can use at once.

An uploaded certificate of the most specific reserved domain wins. All names directly under the base domain share one
wildcard certificate from the issuer; any other name that the edge serves gets one of its own.
"""

from __future__ import annotations

import hmac
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Mapping

from twisted.logger import Logger

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import normalise, wildcards
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate
from ngrok_twisted.tls.contexts import TICKET_KEY_LIFE, make_context
from ngrok_twisted.tls.options import KeyPair as KeyPair, TLSOptions
from ngrok_twisted.tls.pem import read_certificates

#: Contexts that are kept, the least recently used goes first. One takes about 20 KiB, and making one 1 to 2 ms.
CONTEXTS_MAX = 2000

#: Issued pairs that are kept, likewise. One takes about 2 KiB, and issuing one locally 0.2 ms.
PAIRS_MAX = 5000

#: The part of its life after which an issued certificate is replaced.
RENEW_AFTER = 2 / 3


@dataclass(frozen=True, slots=True)
class _Issued:
    """
    :ivar renew_at: seconds since the epoch when another is asked for.
    """

    pair: KeyPair
    renew_at: float


@dataclass(frozen=True, slots=True)
class _Made:
    """
    :ivar stale_at: seconds since the epoch when its ticket key is too old.
    """

    context: ssl.SSLContext
    stale_at: float


class Certificates:
    """
    :ivar base_domain: the domain whose direct children share a certificate.
    :ivar revision: another number whenever certificates or reserved names change.
    """

    revision = 0

    _log = Logger()

    def __init__(self, issuer: Any, base_domain: str, clock: Any, tickets: bytes = b"") -> None:
        """
        :param issuer: an `ngrok_twisted.interfaces.ICertificateIssuer`.
        :param base_domain: normalised.
        :param clock: an `IReactorTime` whose seconds are those since the epoch, as a reactor's are.
        :param tickets: a secret that all processes of the server have: with it each resumes the sessions of the others.
        """
        self._tickets = tickets
        self.base_domain = base_domain
        self._issuer = issuer
        self._clock = clock
        self._uploaded: Mapping[str, KeyPair] = {}
        self._tables: tuple[Any, Any] = (None, None)
        self._issued: OrderedDict[tuple[str, ...], _Issued] = OrderedDict()
        self._contexts: OrderedDict[tuple[KeyPair, TLSOptions], _Made] = OrderedDict()

    def update(self, snapshot: Snapshot) -> None:
        """
        Serve the certificates of these records from the next handshake on. Contexts of pairs that are still in use
        stay, and with them the sessions that visitors may resume.
        """
        tables = (snapshot.tables.get(ReservedDomain.family), snapshot.tables.get(TLSCertificate.family))
        if tables[0] is self._tables[0] and tables[1] is self._tables[1]:
            return
        self._tables = tables
        before = set(self._uploaded.values())
        self._uploaded = _uploaded(snapshot)
        self.revision += 1
        gone = before.difference(self._uploaded.values())
        for key in [key for key in self._contexts if key[0] in gone]:
            del self._contexts[key]

    def context_for(self, name: str | None, options: TLSOptions = TLSOptions()) -> ssl.SSLContext:
        """
        :param name: the name that the visitor asked for. Ask only for names that the edge serves. ``None``, and what is
            not a name, get the certificate of the base domain.
        :param options: how the handshake is to be done.
        """
        return self._context(options.pair or self.pair_for(name), options)

    def context_of(self, names: tuple[str, ...], options: TLSOptions = TLSOptions()) -> ssl.SSLContext:
        """
        A context whose certificate is from the issuer and for all of these, whatever was uploaded.

        :param names: as for `ngrok_twisted.interfaces.ICertificateIssuer.issue`.
        """
        return self._context(self._issue(names), options)

    def _context(self, pair: KeyPair, options: TLSOptions) -> ssl.SSLContext:
        made = self._contexts.get((pair, options))
        now = self._clock.seconds()
        if made is None or now >= made.stale_at:
            made = self._contexts[pair, options] = self._make(pair, options, now)
        _keep(self._contexts, (pair, options), CONTEXTS_MAX)
        return made.context

    def _make(self, pair: KeyPair, options: TLSOptions, now: float) -> _Made:
        if not self._tickets:
            context = make_context(pair.certificate_pem, pair.private_key_pem, options)
            return _Made(context, now + TICKET_KEY_LIFE)
        period = int(now // TICKET_KEY_LIFE)  # the key is another one everywhere at the same moment
        secret = hmac.digest(self._tickets, b"%d" % period, "sha256")
        context = make_context(pair.certificate_pem, pair.private_key_pem, options, secret)
        return _Made(context, (period + 1) * TICKET_KEY_LIFE)

    def pair_for(self, name: str | None) -> KeyPair:
        """
        :param name: as for `context_for`.
        :return: the `KeyPair` that is shown for this name now.
        """
        name = _name_or_none(name)
        if name is None:
            name = self.base_domain
        uploaded = self._uploaded.get(name)
        if uploaded is not None:
            return uploaded
        for wildcard in (*wildcards(name), *((f"*.{name}",) if name == self.base_domain else ())):
            uploaded = self._uploaded.get(wildcard)
            if uploaded is not None:
                return uploaded
        return self._issue(self._names_for(name))

    def _names_for(self, name: str) -> tuple[str, ...]:
        if name == self.base_domain or name.partition(".")[2] == self.base_domain:
            return self._base_names()
        return (name,)

    def _base_names(self) -> tuple[str, ...]:
        return (f"*.{self.base_domain}", self.base_domain)

    def _issue(self, names: tuple[str, ...]) -> KeyPair:
        issued = self._issued.get(names)
        if issued is None or self._clock.seconds() >= issued.renew_at:
            pair = self._issuer.issue(names)
            issued = self._issued[names] = _Issued(pair, _renewal(pair))
            self._log.debug("certificate issued for {name}", name=names[0])
        _keep(self._issued, names, PAIRS_MAX)
        return issued.pair


def _uploaded(snapshot: Snapshot) -> Mapping[str, KeyPair]:
    """The pair of each reserved domain that has one of its own account."""
    found = {}
    for domain in snapshot.all(ReservedDomain):
        record = snapshot.get(TLSCertificate, domain.certificate_id) if domain.certificate_id else None
        if record is not None and record.account_id == domain.account_id:
            found[domain.domain] = KeyPair(
                certificate_pem=record.certificate_pem, private_key_pem=record.private_key_pem
            )
    return found


def _renewal(pair: KeyPair) -> float:
    """Seconds since the epoch when this pair has lived `RENEW_AFTER` of its life."""
    leaf = read_certificates(pair.certificate_pem)[0]
    born, dies = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    return born + (dies - born) * RENEW_AFTER


def _name_or_none(name: str | None) -> str | None:
    """What is not a name, such as an IP address, has no certificate of its own."""
    if not name:
        return None
    try:
        return normalise(name)
    except Refused:
        return None


def _keep(cache: OrderedDict[Any, Any], key: Any, limit: int) -> None:
    """Note that ``key`` was used just now, and drop the one that was not for longest."""
    cache.move_to_end(key)
    if len(cache) > limit:
        cache.popitem(last=False)
