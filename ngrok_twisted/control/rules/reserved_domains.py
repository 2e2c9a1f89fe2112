"""
What must hold for reserved domains.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.ownership import ReservationSettings, is_service_name, ownership
from ngrok_twisted.hostnames import is_below, is_wildcard
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate

#: Names below it are each account's own, and nobody's in public.
INTERNAL = "internal"

#: What a domain may resolve to, beside the server's own region.
GLOBAL = "global"

_REGION, _SERVICE, _PRIVATE, _MINE, _THEIRS, _SUFFIX, _OVERLAP = 400, 404, 411, 413, 414, 416, 417
_SHORT, _TWICE, _TARGET = 448, 456, 459


@implementer(IRecordRules)
class ReservedDomainRules:
    """
    A domain, with all names below it, belongs to one account, and so does its certificate.
    """

    name = ReservedDomain.family

    def problems(self, record: ReservedDomain, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from _kind(record, around.settings)
        yield from _taken(record, around)
        yield from _certificate(record, around)
        yield from _regions(record, around.settings)


def _kind(record: ReservedDomain, settings: ReservationSettings) -> Iterator[Problem]:
    """Whether such a name can be reserved at all, and by this account."""
    name, base = record.domain, settings.base_domain
    exact = name.removeprefix("*.")
    if is_service_name(name, settings):
        yield Problem("domain", f"{name} is the service's own name; choose another", code=_SERVICE)
    elif exact == INTERNAL or is_below(exact, INTERNAL):
        yield Problem("domain", f"names below .{INTERNAL} are your own without a reservation", code=_PRIVATE)
    elif "." not in name and name != base:
        yield Problem("domain", f"{name} is a single label; give the whole name, with its parent", code=_SHORT)
    elif record.declared or record.account_id in settings.open_account_ids:
        return
    elif exact == base or is_below(base, exact):
        message = f"{name} stands for names of everybody on this server; only its operator may reserve it"
        yield Problem("domain", message, code=_SUFFIX if is_wildcard(name) else _SERVICE)
    elif is_wildcard(name) and "." not in exact:
        yield Problem("domain", f"{name} covers a whole top-level domain", code=_SUFFIX)


def _taken(record: ReservedDomain, around: Around) -> Iterator[Problem]:
    owned, name = around.index(ownership), record.domain
    first = owned.domain(name)
    if first is not None and first.id != record.id:
        code = _MINE if first.account_id == record.account_id else _THEIRS
        yield Problem("domain", f"{name} is reserved already", code=code, other=first.id)
        return
    rival = next(owned.rivals(record), None)
    if rival is not None:
        message = f"{name} overlaps a domain of another account; choose a name outside of it"
        yield Problem("domain", message, code=_OVERLAP, other=rival.id)


def _certificate(record: ReservedDomain, around: Around) -> Iterator[Problem]:
    if record.certificate_id:
        found = around.records.get(TLSCertificate, record.certificate_id)
        if found is None or found.account_id != record.account_id:
            yield Problem("certificate_id", f"there is no TLS certificate {record.certificate_id}")


def _regions(record: ReservedDomain, settings: ReservationSettings) -> Iterator[Problem]:
    known = (settings.region, GLOBAL)
    if record.region not in ("", settings.region):
        message = f"this server has one region, {settings.region}; leave the region out"
        yield Problem("region", message, code=_REGION)
    for number, value in enumerate(record.resolves_to):
        path = f"resolves_to[{number}].value"
        if value not in known:
            message = (
                f"this server is one place and has no DNS to point elsewhere: {' or '.join(known)}, or leave it out"
            )
            yield Problem(path, message, code=_TARGET)
        elif value in record.resolves_to[:number]:
            yield Problem(path, f"{value} is there twice", code=_TWICE)


rules = ReservedDomainRules()
