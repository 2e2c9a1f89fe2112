"""
Tests of `ngrok_twisted.control.codec`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.control.codec import decode, encode
from ngrok_twisted.control.keyring import Keyring
from ngrok_twisted.errors import StoreUnusable
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Record
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute
from ngrok_twisted.records.endpoint import Endpoint, Upstream
from ngrok_twisted.records.tls_certificate import TLSCertificate

KEYRING = Keyring(bytes(32))
PAIR = TLSCertificate(id="cert_1", certificate_pem="public", private_key_pem="geheim")


class CodecTests(SynchronousTestCase):
    """`encode` and `decode`."""

    def test_round_trip(self) -> None:
        """Each shape of record is the same after it was text."""
        route = HTTPSEdgeRoute(match="/a", backend=BackendRef(backend_id="bkd_1"), id="edghtsrt_1")
        records: list[Record] = [
            PAIR,
            Endpoint(id="ep_1", proto="tcp", host="h", port=1, created_at=1.5, upstream=Upstream(tls=True)),
            Backend(id="bkd_1", kind="tunnel_group", config=TunnelGroupConfig(labels={"a": "b"})),
            HTTPSEdge(id="edghts_1", hostports=("a:443",), routes=(route, HTTPSEdgeRoute(match="/b"))),
        ]
        for record in records:
            self.assertEqual(decode(type(record), record.id, encode(record, KEYRING), KEYRING), record)

    def test_sealed(self) -> None:
        """Only secrets are sealed."""
        text = encode(PAIR, KEYRING)
        self.assertNotIn("geheim", text)
        self.assertIn('"certificate_pem":"public"', text)

    def test_refused(self) -> None:
        """What is no record, another's, or of another version is refused."""
        text = encode(PAIR, KEYRING)
        cases = {
            "rubbish": "cannot be read",
            "[]": "must be a mapping",
            text.replace('"id"', '"colour":1,"id"'): "colour: is not a known key",
            text.replace('"account_id":""', '"account_id":1'): "account_id: must be text",
            text.replace("cert_1", "cert_2"): "says that it is 'cert_2'",
        }
        for bad, said in cases.items():
            error = self.assertRaises(StoreUnusable, decode, TLSCertificate, "cert_1", bad, KEYRING)
            self.assertIn(said, str(error))
