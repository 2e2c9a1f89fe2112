"""
Visitors with a certificate, or with an old TLS, at an edge with TLS modules.
"""

from __future__ import annotations

import ssl
import tempfile
from typing import Any

from ngrok_twisted import kinds
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.net.tls import TLSConnection
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, module
from tests.edge.doubles import Edge, get
from tests.edge.wire import statuses
from tests.net.loop import Recorder
from tests.net.wire import Wire
from tests.tls.authority import Made

SAYS = Backend(id="bkdhr_1", account_id="ac_1", kind="http_response", config=HTTPResponseConfig(body="inside"))


def real_edge() -> Edge:
    """An edge plane with the module kinds there are."""
    return Edge(module_kinds=kinds.discover("ngrok_twisted.modules", IModuleKind))


def https_edge(id: str, host: str, **configs: Any) -> HTTPSEdge:
    """An https edge that always answers the same, with these modules."""
    route = HTTPSEdgeRoute(backend=BackendRef(backend_id=SAYS.id))
    modules = {name: module(config) for name, config in configs.items()}
    return HTTPSEdge(id=id, account_id="ac_1", hostports=(f"{host}:443",), routes=(route,), modules=modules)


def authority(id: str, made: Made, account_id: str = "ac_1") -> CertificateAuthority:
    """A record."""
    return CertificateAuthority(id=id, account_id=account_id, ca_pem=made.pem)


class Visitor:
    """
    A visitor who has shaken hands, or tried to.

    :ivar inner: what is inside the visitor's TLS.
    """

    def __init__(
        self,
        edge: Edge,
        server_name: str,
        shows: Made | None = None,
        chain: tuple[Made, ...] = (),
        session: Any = None,
        **settings: Any,
    ) -> None:
        """
        :param shows: the certificate to show.
        :param chain: sent along with it.
        :param settings: attributes of the TLS context.
        """
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_ciphers("ALL:@SECLEVEL=0")
        for name, value in settings.items():
            setattr(self.context, name, value)
        if shows is not None:
            with tempfile.NamedTemporaryFile("w") as file:
                file.write("".join(made.pem for made in (shows, *chain)) + shows.key_pem)
                file.flush()
                self.context.load_cert_chain(file.name)
        self.inner = Recorder()
        self.failures: list[Any] = []
        self.client = TLSConnection(
            self.context,
            self.inner,
            clock=edge.reactor,
            server_side=False,
            server_hostname=server_name,
            on_handshake=self.failures.append,
        )
        self.wire = Wire(self.client, edge.plane.secure_front.buildProtocol(None))
        self.wire.run()

    def ask(self, host: str) -> list[int]:
        """The status of the answer to a request; none without an answer."""
        self.client.write(get(host))
        self.wire.run()
        answer = bytes(self.inner.received)
        self.inner.received.clear()
        return statuses(answer)

    def said(self) -> str:
        """Why there is no connection."""
        reasons = [reason for reason in (*self.failures, self.inner.lost) if reason is not None]
        return " ".join(str(reason.value) for reason in reasons).lower().replace("_", " ")
