"""
An API with names, addresses, an authority and backends to make edges of.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.records.base import Put, Record
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.ip_policy import IPPolicy
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from tests.control.api.harness import ACCOUNT, OTHER, APITestCase
from tests.tls.authority import Made

CA, FOREIGN_CA = (declared_id("ca", "certificate_authorities", name) for name in ("staff", "foreign"))
POLICY = declared_id("ipp", "ip_policies", "office")
_PEM = Made("staff.example").pem


def given() -> list[Record]:
    """What the account has, and what another one has."""
    domains = [("shop.example.org", ACCOUNT), ("*.wild.example.org", ACCOUNT), ("blue.example.org", OTHER)]
    addresses = [(20001, ACCOUNT), (20002, ACCOUNT), (20003, OTHER)]
    return [
        *(ReservedDomain(id=declared_id("rd", "rd", name), account_id=owner, domain=name) for name, owner in domains),
        *(
            ReservedAddr(id=declared_id("ra", "ra", str(port)), account_id=owner, host="tcp.example.com", port=port)
            for port, owner in addresses
        ),
        CertificateAuthority(id=CA, account_id=ACCOUNT, ca_pem=_PEM),
        CertificateAuthority(id=FOREIGN_CA, account_id=OTHER, ca_pem=_PEM),
        IPPolicy(id=POLICY, account_id=ACCOUNT),
    ]


class EdgeCase(APITestCase):
    """Makes edges and backends."""

    def setUp(self) -> None:
        super().setUp()
        self.write(*given())

    def write(self, *records: Record) -> None:
        """Store records, whatever the rules say."""
        self.successResultOf(self.api.control._store.write([Put(record) for record in records]))

    def group(self, **labels: str) -> str:
        """The id of a new tunnel group."""
        made: str = self.ok("POST", "/backends/tunnel_group", {"labels": labels or {"app": "web"}})["id"]
        return made

    def edge(self, kind: str = "https", **body: Any) -> str:
        """The path of a new edge."""
        return f"/edges/{kind}/" + self.ok("POST", f"/edges/{kind}", body)["id"]

    def codes(self, verb: str, path: str, data: Any) -> dict[str, int]:
        """ngrok's number of each field of a refused request."""
        error = self.refused(verb, path, data)
        self.assertEqual(error.status, 400)
        return {field: int(said.rpartition("_")[2].rstrip(")")) for field, said in error.details.items()}
