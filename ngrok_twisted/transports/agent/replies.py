"""
What agents are answered: the replies to their requests, and the text of a refusal.

Names of members are spelled as here by all agents, and some agents read them only so. A reply leaves out nothing that
any of them needs.

Source: specification of the agent protocol, sections 4.1, 6 and 9.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ngrok_twisted.claim import Grant
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.policy.asked import agents_code, one_line
from ngrok_twisted.transports.agent.messages import Auth, Bind
from ngrok_twisted.transports.agent.settings import AgentSettings

#: What must be in the ``Opts`` of a reply, by protocol, and what it is where the bind said nothing.
_NEEDED: Mapping[str, Mapping[str, Any]] = {
    "https": {"Hostname": "", "Subdomain": "", "Auth": "", "HostHeaderRewrite": False, "ProxyProto": 0},
    "http": {"Hostname": "", "Subdomain": "", "Auth": "", "HostHeaderRewrite": False, "ProxyProto": 0},
    "tls": {"Hostname": "", "Subdomain": "", "ProxyProto": 0, "MutualTLSAtAgent": False},
    "tcp": {"Addr": "", "ProxyProto": 0},
}


def auth_reply(
    auth: Auth,
    client_id: str,
    cookie: str,
    principal: Principal,
    settings: AgentSettings,
    addresses: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """
    The reply to a login that succeeded.

    :param client_id: what the agent is to call itself when it comes back: the session's id.
    :param cookie: proves it then.
    :param addresses: where the agent may open further connections of the session: pairs of a region and of a host and
        port, the first being where it is.
    """
    return {
        "Version": auth.protocol,
        "ClientId": client_id,
        "Error": "",
        "Extra": {
            "Version": settings.version,
            "Region": settings.region,
            "Cookie": cookie,
            "AccountName": principal.account_name,
            "PlanName": "",
            "SessionDuration": 0,
            "Banner": "",
            "DeprecationWarning": None,
            "ConnectAddresses": [{"Region": region, "ServerAddr": address} for region, address in addresses],
            "AgentSessionID": client_id,
        },
    }


def reply_of(bind: Bind, grant: Grant | None, token: str, id: str, url: str) -> dict[str, Any]:
    """
    The reply to a bind. The agent keeps its options and asks with them when it comes back, so that they have the name
    that it was given.

    :param grant: what it was given; ``None`` if the agent is to believe that it still has what it asks for.
    :param token: proves what it had when it comes back.
    :param id: what the agent calls the endpoint.
    :param url: what the agent shows to its user; empty for what its options say.
    """
    opts = _opts(bind, grant)
    place = opts.get("Addr" if bind.proto == "tcp" else "Hostname", "")
    return {
        "Id": id,
        "URL": url or f"{bind.proto}://{place}",
        "Proto": bind.proto,
        "Opts": opts,
        "Extra": {"Token": token, "TunnelID": id},
        "Error": "",
    }


def label_reply(id: str) -> dict[str, Any]:
    """
    The reply to a labelled tunnel that is online.

    :param id: what the agent is to call it.
    """
    return {"Id": id, "Error": ""}


def error_text(refused: Refused) -> str:
    """
    What agents take apart again: the message, and the code in a line of its own, which nothing in the message
    resembles.
    """
    message = one_line(refused.message).replace("ERR_NGROK_", "error ")
    return message if refused.code is None else f"{message}\n\nERR_NGROK_{agents_code(refused.code)}"


def _opts(bind: Bind, grant: Grant | None) -> dict[str, Any]:
    """All that the bind said, and the assigned name. Agents that spell a member in another case read it in any."""
    given = {name.lower(): value for name, value in bind.opts.items() if value is not None}
    needed = {name: given.get(name.lower(), absent) for name, absent in _NEEDED.get(bind.proto, {}).items()}
    if grant is not None and grant.endpoint is not None:
        host, port = grant.endpoint.host, grant.endpoint.port
        needed |= {"Addr": f"{host}:{port}"} if bind.proto == "tcp" else {"Hostname": host}
    known = {name.lower() for name in needed}
    return {name: value for name, value in bind.opts.items() if name.lower() not in known} | needed
