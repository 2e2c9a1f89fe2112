"""
The variables of templates: one table for the header modules of edges and for Traffic Policy.

Each is a pure function of `Facts`. Names are those of today (specification of edges, section 7.6, second column), and of the
first generation (first column, where they are written with a dot before them). A module that decides something notes it
with `ngrok_twisted.flow.Flow.remember` under the name in this table, such as ``basic_auth.decision``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Callable, Mapping

from ngrok_twisted.policy import facts as of
from ngrok_twisted.policy.certificate import certificate_facts
from ngrok_twisted.policy.ciphers import standard_name
from ngrok_twisted.policy.facts import Facts

Read = Callable[[Facts], Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """
    :ivar read: gives its value: text, a number, a truth, a time, a duration, a list, a mapping, or ``None`` for nothing.
    :ivar deep: there may be something in it: it is a list or a mapping.
    :ivar folded: its keys are names of header fields, in lower case.
    :ivar response: there is nothing before the response.
    :ivar of: where its value would be read, if it depends on nothing else: paths of attributes that begin at `Facts`, and lead
        to what compares by value. Empty where it depends on more.
    """

    read: Read
    deep: bool = False
    folded: bool = False
    response: bool = False
    of: tuple[str, ...] = ()


# -- connection --------------------------------------------------------------------------------------------------------


def _opened(facts: Facts) -> datetime:
    return of.moment(facts.request.channel.opened())


def _duration(facts: Facts) -> timedelta:
    channel = facts.request.channel
    return timedelta(seconds=channel.clock().seconds() - channel.opened())


def _connection_id(facts: Facts) -> str:
    """What tells a connection apart: who came, from which port, and when."""
    flow, opened = facts.flow, facts.request.channel.opened()
    return "conn_" + sha256(f"{flow.peer_host} {flow.peer_port} {opened!r}".encode()).hexdigest()[:24]


def _request_id(facts: Facts) -> str:
    """It ends with the number that the access log and the error pages show."""
    flow = facts.request.flow
    return f"rq_{int(flow.started * 1_000_000):x}_{flow.number}"


def _reused(facts: Facts) -> bool:
    return facts.request.flow.dialled == 0.0


def _dialled(facts: Facts) -> timedelta | None:
    seconds = facts.request.flow.dialled
    return None if seconds is None else timedelta(seconds=seconds)


# -- TLS ---------------------------------------------------------------------------------------------------------------


def _tls_version(facts: Facts) -> str:
    tls = facts.request.channel.get_tls()
    return "" if tls is None else (tls.version() or "").removeprefix("TLSv")


def _cipher(facts: Facts) -> str:
    tls = facts.request.channel.get_tls()
    return "" if tls is None else standard_name(tls.cipher() or "")


def _alpn(facts: Facts) -> str:
    tls = facts.request.channel.get_tls()
    return "" if tls is None else (tls.negotiatedProtocol or b"").decode("ascii")


def _certificate(name: str) -> Read:
    return lambda facts: certificate_facts(facts.request.channel.get_peer_certificate()).get(name)


_CERTIFICATE_TEXTS = (
    "pem",
    "serial_number",
    "signature_algorithm",
    "issuer",
    "issuer.common_name",
    "subject",
    "subject.common_name",
    "san",
    "validity.not_before",
    "validity.not_after",
)
_CERTIFICATE_LISTS = (
    "extensions",
    *(f"san.{kind}" for kind in ("dns_names", "email_addresses", "ip_addresses", "uris")),
    *(
        f"{whose}.{field}"
        for whose in ("issuer", "subject")
        for field in (
            "country",
            "locality",
            "organization",
            "organizational_unit",
            "postal_code",
            "province",
            "street_address",
        )
    ),
)

# -- response ----------------------------------------------------------------------------------------------------------


def _of_response(read: Callable[[Any], Any], **more: Any) -> Variable:
    """:param read: gives the value, from a `ngrok_twisted.wrapper.ResponseHead`."""
    return Variable(lambda facts: None if facts.response is None else read(facts.response), response=True, **more)


# -- the table ---------------------------------------------------------------------------------------------------------


def _noted(name: str) -> Variable:
    return Variable(lambda facts: facts.noted(name))


def _unknown(facts: Facts) -> None:
    """There is no database of places."""


_client_ip = Variable(lambda facts: facts.request.flow.peer_host, of=("request.flow.peer_host",))
_request_number = Variable(_request_id)
_method = Variable(lambda facts: of.decoded(facts.request.method), of=("request.method",))
_url_host = Variable(lambda facts: facts.request.flow.host, of=("request.flow.host",))
_path = Variable(lambda facts: of.path(facts.request), of=("request.uri",))
_query = Variable(lambda facts: of.query(facts.request), of=("request.uri",))
_raw_url = Variable(
    lambda facts: of.raw_url(facts.request), of=("request.flow.proto", "request.authority", "request.uri")
)
_scheme = Variable(lambda facts: facts.request.flow.proto, of=("request.flow.proto",))
_user_agent = Variable(lambda facts: of.first(facts.request.fields, b"user-agent"))
_version = Variable(lambda facts: of.decoded(facts.request.clientproto), of=("request.clientproto",))
_status = _of_response(lambda head: head.status, of=("response.status",))
_empty = Variable(lambda facts: "")

_CONNECTION: Mapping[str, Variable] = {
    "backend.connection_reused": Variable(_reused),
    "backend.dial_duration": Variable(_dialled),
    "backend.id": Variable(lambda facts: facts.request.flow.backend_id, of=("request.flow.backend_id",)),
    "conn.bytes_in": Variable(lambda facts: facts.request.flow.bytes_in),
    "conn.bytes_out": Variable(lambda facts: facts.request.flow.bytes_out),
    "conn.client_ip": _client_ip,
    "conn.client_port": Variable(lambda facts: facts.request.flow.peer_port),
    "conn.duration": Variable(_duration),
    "conn.end_ts": Variable(lambda facts: None),
    "conn.id": Variable(_connection_id),
    "conn.server_ip": Variable(lambda facts: facts.request.channel.get_host().host),
    "conn.server_name": Variable(lambda facts: facts.request.channel.server_name()),
    "conn.server_port": Variable(lambda facts: facts.request.channel.get_host().port),
    "conn.start_ts": Variable(_opened),
    "conn.ts.start": Variable(_opened),
    "conn.tls.cipher_suite": Variable(_cipher),
    "conn.tls.negotiated_alpn": Variable(_alpn),
    "conn.tls.sni": Variable(lambda facts: facts.request.channel.server_name()),
    "conn.tls.version": Variable(_tls_version),
    "ngrok.client_ip": _client_ip,
    "tls.cipher_suite": Variable(_cipher),
    "tls.client_cert.serial_number": Variable(_certificate("serial_number")),
    "tls.client_cert.subject": Variable(_certificate("subject")),
    "tls.client_cert.subject.cn": Variable(_certificate("subject.common_name")),
    "tls.version": Variable(_tls_version),
    **{f"conn.tls.client.{name}": Variable(_certificate(name)) for name in _CERTIFICATE_TEXTS},
    **{f"conn.tls.client.{name}": Variable(_certificate(name), deep=True) for name in _CERTIFICATE_LISTS},
    **{
        f"conn.geo.{name}": Variable(_unknown)
        for name in ("city", "country", "country_code", "latitude", "longitude", "radius", "subdivision")
    },
    **{
        f"ngrok.geo.{name}": Variable(_unknown)
        for name in ("country_code", "latitude", "longitude", "lat_long_radius_km")
    },
}

_REQUEST: Mapping[str, Variable] = {
    "http.request_id": _request_number,
    "ngrok.request_id": _request_number,
    "http.request.method": _method,
    "http.request.url.host": _url_host,
    "http.request.url.path": _path,
    "http.request.url.query": _query,
    "http.request.url.raw": _raw_url,
    "http.request.url.scheme": _scheme,
    "http.request.user_agent": _user_agent,
    "http.request.version": _version,
    "req.method": _method,
    "req.host": Variable(lambda facts: of.decoded(facts.request.authority), of=("request.authority",)),
    "req.version": _version,
    "req.user_agent": _user_agent,
    "req.location": Variable(lambda facts: of.first(facts.request.fields, b"location")),
    "req.headers": Variable(lambda facts: of.multimap(facts.request.fields), deep=True, folded=True),
    "req.trailers": Variable(lambda facts: {}, deep=True, folded=True),
    "req.cookies": Variable(lambda facts: of.cookies(facts.request.fields), deep=True),
    "req.content_length": Variable(lambda facts: of.length(facts.request.fields)),
    "req.content_type": Variable(lambda facts: of.media_type(facts.request.fields)),
    "req.content_type.raw": Variable(lambda facts: of.first(facts.request.fields, b"content-type")),
    "req.content_type.parameters": Variable(
        lambda facts: of.media_parameters(facts.request.fields), deep=True, folded=True
    ),
    "req.url": Variable(
        lambda facts: of.url(facts.request),
        of=("request.flow.proto", "request.flow.host", "request.authority", "request.uri"),
    ),
    "req.url.raw": _raw_url,
    "req.url.scheme": _scheme,
    "req.url.authority": Variable(lambda facts: of.decoded(facts.request.authority), of=("request.authority",)),
    "req.url.user": _empty,
    "req.url.user_password": _empty,
    "req.url.host": _url_host,
    "req.url.port": Variable(lambda facts: of.port(facts.request), of=("request.authority",)),
    "req.url.path": _path,
    "req.url.raw_path": Variable(lambda facts: of.raw_path(facts.request), of=("request.uri",)),
    "req.url.query": _query,
    "req.url.query_params": Variable(lambda facts: of.arguments(facts.request), deep=True, of=("request.uri",)),
    "req.url.uri": Variable(lambda facts: of.decoded(facts.request.uri), of=("request.uri",)),
}

_RESPONSE: Mapping[str, Variable] = {
    "http.response.status_code": _status,
    "res.status_code": _status,
    "res.headers": _of_response(lambda head: of.multimap(head.fields), deep=True, folded=True),
    "res.trailers": _of_response(lambda head: {}, deep=True, folded=True),
    "res.cookies": _of_response(lambda head: of.set_cookies(head.fields), deep=True),
    "res.content_length": _of_response(lambda head: head.length),
    "res.content_type": _of_response(lambda head: of.media_type(head.fields)),
    "res.content_type.raw": _of_response(lambda head: of.first(head.fields, b"content-type")),
    "res.content_type.parameters": _of_response(lambda head: of.media_parameters(head.fields), deep=True, folded=True),
    "res.location": _of_response(lambda head: of.first(head.fields, b"location")),
    "compression.algorithm": Variable(lambda facts: facts.noted("compression.algorithm"), response=True),
    "compression.bytes_saved": Variable(lambda facts: facts.noted("compression.bytes_saved"), response=True),
}

#: Every variable by its name, without the dot that the first generation wrote before it.
VARIABLES: Mapping[str, Variable] = {
    **_CONNECTION,
    **_REQUEST,
    **_RESPONSE,
    **{
        name: _noted(name)
        for name in (
            "basic_auth.decision",
            "basic_auth.username",
            "circuit_breaker.decision",
            "ip_policy.decision",
            "ip_policy.matching_rule",
            "ngrok.saml.subject",
            "oauth.app_client_id",
            "oauth.decision",
            "oauth.user.email",
            "oauth.user.id",
            "oauth.user.name",
            "user_agent_filter.decision",
            "webhook_verification.decision",
        )
    },
    # What the first generation called it.
    "webhook_validation.decision": _noted("webhook_verification.decision"),
}
