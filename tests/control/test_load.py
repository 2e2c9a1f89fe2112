"""
Tests of `ngrok_twisted.control.load`.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.config import AuthorizedKey, Listen, PortRange
from ngrok_twisted.control.first_key import FIRSTS
from ngrok_twisted.control.load import ipv6_loopback, load
from ngrok_twisted.control.names import DEFAULT_ACCOUNT, account_id
from ngrok_twisted.control.seed import with_firsts
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.tokens import matches
from tests.control.declaring import KEY, OTHER_KEY, ConfigCase, make_host_key, make_pair

#: Section 3 of the contract, without what is not built.
FULL = """\
domain: example.com
public_port: 443
listen:
  https: [tcp:443, "tcp:443:interface=\\\\:\\\\:1"]
  http: tcp:80
  ssh: tcp:22
tcp: {host: tcp.example.com, interface: 0.0.0.0, ports: 20000-29999}
state: /var/lib/ngrok
store: sqlite
tls: {issuer: local}
ssh: {authorized_keys: keys}
ssh_credentials: [{public_key: "%s me", acl: ["bind:app.example.com"]}]
reserved_domains: [{domain: "*.example.com"}, {domain: shop.example.org, certificate_id: shop}]
reserved_addrs: [{name: db, addr: "tcp.example.com:20010"}, {name: mail}]
tls_certificates: [{name: shop, certificate_pem: file:shop.pem, private_key_pem: env:SHOP_KEY}]
backends:
  tunnel_group: [{name: web, labels: {app: web}}, {name: canary, labels: {app: canary}}]
  http_response: [{name: sorry, status_code: 503, headers: {content-type: text/plain}, body: "back soon\\n"}]
  failover: [{name: main, backends: [web, sorry]}]
  weighted: [{name: split, backends: {web: 90, canary: 10}}]
edges:
  https:
  - name: shop
    hostports: ["shop.example.org:443"]
    routes:
    - {match_type: exact_path, match: /health, backend: {backend_id: sorry}}
    - match_type: path_prefix
      match: /
      backend: {backend_id: main}
  tls: [{name: db-tls, hostports: ["db.example.com:443"], backend: {backend_id: web}}]
  tcp: [{name: db, hostports: ["tcp.example.com:20010"], backend: {backend_id: web}}]
"""


class EmbeddedTests(SynchronousTestCase):
    """A server without a config."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        (self.home / ".ssh").mkdir(parents=True)

    def test_defaults(self) -> None:
        """The defaults are those of the contract, all on loopback."""
        config = load(None, {}, self.home, folder=self.home, ipv6=True)
        self.assertEqual(config.domain, "ngrok.localhost")
        self.assertEqual(config.listen.https, ("tcp:8443:interface=127.0.0.1", r"tcp:8443:interface=\:\:1"))
        self.assertEqual(config.listen.http, ("tcp:8080:interface=127.0.0.1", r"tcp:8080:interface=\:\:1"))
        self.assertEqual(config.listen.ssh, ("tcp:2222:interface=127.0.0.1", r"tcp:2222:interface=\:\:1"))
        self.assertEqual(config.listen.agent, ("tcp:4443:interface=127.0.0.1", r"tcp:4443:interface=\:\:1"))
        self.assertEqual((config.tcp.host, config.tcp.interface), ("localhost", "127.0.0.1"))
        self.assertEqual(config.tcp.ports, PortRange(20000, 20999))
        self.assertEqual(config.state, str(self.home / "var"))
        self.assertEqual(config.access_log, str(self.home / "var" / "access.log"))
        self.assertEqual((config.store, config.tls.issuer), ("sqlite", "local"))

    def test_without_ipv6(self) -> None:
        """A machine without ::1 listens on 127.0.0.1 alone."""
        self.assertEqual(
            load(None, {}, self.home, ipv6=False).listen,
            Listen(
                https=("tcp:8443:interface=127.0.0.1",),
                http=("tcp:8080:interface=127.0.0.1",),
                ssh=("tcp:2222:interface=127.0.0.1",),
                agent=("tcp:4443:interface=127.0.0.1",),
                api=("tcp:4040:interface=127.0.0.1",),
            ),
        )

    def test_keys(self) -> None:
        """The keys of the user may connect: public keys and authorized_keys; a bad line is a warning."""
        (self.home / ".ssh" / "id_ed25519.pub").write_text(f"{KEY} me@here\n")
        (self.home / ".ssh" / "authorized_keys").write_text(f'# others\n\n{OTHER_KEY} you\nfrom="x" {KEY}\n')
        config = load(None, {}, self.home, ipv6=False)
        folder = self.home / ".ssh"
        self.assertEqual(
            config.keys,
            (
                AuthorizedKey(public_key=KEY, comment="me@here", source=f"{folder / 'id_ed25519.pub'}:1"),
                AuthorizedKey(public_key=OTHER_KEY, comment="you", source=f"{folder / 'authorized_keys'}:3"),
            ),
        )
        self.assertEqual(len(config.warnings), 1)
        self.assertIn("authorized_keys:4: this key may not connect: The line has options", config.warnings[0])

    def test_firsts(self) -> None:
        """The tokens that were made at the first start let their owner in; one that cannot be used is a problem."""
        config = load(None, {}, self.home, folder=self.home, ipv6=False)
        self.assertEqual(config.firsts, dict.fromkeys(FIRSTS, ""))
        (self.home / "var").mkdir()
        tokens = {first: first.make(self.home / "var", os.urandom) for first in FIRSTS}
        again = load(None, {}, self.home, folder=self.home, ipv6=False)
        self.assertEqual(again.firsts, tokens)
        made = {record.id: record for record in again.declared.records}
        for first, token in tokens.items():
            record = made[first.id]
            self.assertIs(type(record), first.cls)
            self.assertTrue(matches(token, record.token_hash))  # type: ignore[attr-defined]
            self.assertEqual((record.account_id, record.declared), (account_id(DEFAULT_ACCOUNT), True))
            self.assertNotIn(token, repr(again))
        self.assertEqual([*with_firsts(config, tokens).declared.records], [*again.declared.records])
        (self.home / "var" / "authtoken").write_text("short")
        self.assertRaises(InvalidConfig, load, None, {}, self.home, folder=self.home, ipv6=False)

    def test_no_keys(self) -> None:
        """Without any key there is a warning that says what to do."""
        (warning,) = load(None, {}, self.home / "nowhere", ipv6=False).warnings
        self.assertIn("ssh-keygen", warning)

    def test_ipv6(self) -> None:
        """Whether the machine has ::1 is asked of the machine."""
        self.assertIsInstance(ipv6_loopback(), bool)


class LoadTests(ConfigCase):
    """A server with a config."""

    def setUp(self) -> None:
        super().setUp()
        certificate, self.key = make_pair()
        (self.folder / "shop.pem").write_text(certificate)
        (self.folder / "keys").write_text(f"{OTHER_KEY} you\n")

    def test_contract(self) -> None:
        """The file of the contract is understood."""
        config = self.load(FULL % KEY, {"SHOP_KEY": self.key})
        self.assertEqual((config.public_port, config.state), (443, "/var/lib/ngrok"))
        self.assertEqual(config.listen.https, ("tcp:443", r"tcp:443:interface=\:\:1"))
        records = {type(record).__name__: record for record in config.declared.records}
        self.assertEqual(records["TLSCertificate"].private_key_pem, self.key)  # type: ignore[attr-defined]
        self.assertEqual([route.match for route in records["HTTPSEdge"].routes], ["/health", "/"])  # type: ignore[attr-defined]
        self.assertEqual([key.comment for key in config.keys], ["you"])

    def test_secrets(self) -> None:
        """A config that is printed shows no secret."""
        config = self.load(FULL % KEY + "\n", {"SHOP_KEY": self.key})
        self.assertNotIn("PRIVATE KEY", repr(config))
        self.assertNotIn("geheim", repr(self.load("store: env:DB", {"DB": "postgresql://u:geheim@h/d"})))

    def test_empty(self) -> None:
        """An empty file gives the defaults, relative to itself and without anyone's keys."""
        config = self.load("")
        self.assertEqual((config.domain, config.state), ("ngrok.localhost", str(self.folder / "var")))
        self.assertEqual((config.keys, config.warnings), ((), ()))
        self.assertEqual(config.listen.ssh, ("tcp:2222:interface=127.0.0.1",))

    def test_listen(self) -> None:
        """With ``listen`` only what it names is opened."""
        self.assertEqual(self.load("listen: {ssh: tcp:22}").listen, Listen(ssh=("tcp:22",)))

    def test_paths(self) -> None:
        """Paths are relative to the file, or to the home."""
        (self.folder / "home").mkdir(exist_ok=True)
        config = self.load("state: ../state\naccess_log: ~/log")
        self.assertEqual(config.state, str(self.folder / "../state"))
        self.assertEqual(config.access_log, str(self.folder / "home" / "log"))
        self.assertEqual(self.load("access_log: off").access_log, "")

    def test_names(self) -> None:
        """Names are brought into their one form; the TCP host follows from the domain."""
        config = self.load("domain: Example.COM.")
        self.assertEqual((config.domain, config.tcp.host), ("example.com", "tcp.example.com"))

    def test_bad_host_key(self) -> None:
        """A host key that cannot be served is refused with its line, and nothing of it is repeated."""
        key = make_host_key()
        (self.folder / "host").write_text("# my key\n" + key)
        [problem] = self.problems("ssh:\n  host_keys: host\n")
        self.assertTrue(problem.startswith("2: ssh.host_keys[0]: there is text before the private key"), problem)
        self.assertFalse(any(line in problem for line in key.splitlines()[1:-1]))

    def test_host_keys(self) -> None:
        """Host keys may be paths, files or texts; all end as texts."""
        key = make_host_key()
        (self.folder / "host").write_text(key)
        config = self.load("ssh: {host_keys: [host, file:host, env:HOST]}", {"HOST": key})
        self.assertEqual(config.ssh.host_keys, (key, key, key))
        (self.folder / "host.pub").write_text(KEY)
        self.assertProblem(
            "ssh:\n  host_keys:\n  - host.pub\n  - missing\n",
            "3: ssh.host_keys[0]: this is no private key; give the file without .pub",
            f"4: ssh.host_keys[1]: the file {self.folder / 'missing'} cannot be read: No such file or directory",
        )

    def test_missing_file(self) -> None:
        """A config that is not there is refused with its name."""
        error = self.assertRaises(InvalidConfig, load, self.folder / "none.yaml", {}, self.folder, ipv6=False)
        self.assertEqual(str(error), f"{self.folder / 'none.yaml'}: cannot be read: No such file or directory")

    def test_not_a_mapping(self) -> None:
        """A file that holds a list is refused."""
        self.assertProblem("- a\n", "1: must be a mapping, not a list")

    def test_elsewhere(self) -> None:
        """Files and variables that are missing are problems with a line; a secret is in none of them."""
        self.assertProblem(
            "tls_certificates:\n- certificate_pem: file:none.pem\n  private_key_pem: env:NONE\n",
            "2: tls_certificates[0].certificate_pem: "
            f"the file {self.folder / 'none.pem'} cannot be read: No such file or directory",
            "3: tls_certificates[0].private_key_pem: the environment variable NONE is not set",
        )

    def test_not_built(self) -> None:
        """What this version cannot do is refused with its line, never ignored."""
        problems = self.problems(
            "ssh:\n  max_forwards: 3\n\n  direct_tcpip: true\nacme: {email: me@example.com}\ntls: {issuer: acme}\n"
        )
        paths = [problem.split(": ")[:2] for problem in problems]
        self.assertEqual(
            paths,
            [
                ["4", "ssh.direct_tcpip"],
                ["5", "acme"],
                ["6", "tls.issuer"],
            ],
        )
        for problem in problems:
            self.assertIn("not built into this version", problem)

    def test_unbuilt_module(self) -> None:
        """A module of ngrok's that this version lacks is refused as such, another name as unknown."""
        problems = self.problems(
            "edges:\n  https:\n  - hostports: ['a.ngrok.localhost:443']\n    routes:\n"
            "    - match: /\n      saml: {}\n      no_such_thing: {}\n"
        )
        self.assertEqual(
            problems[0], "6: edges.https[0].routes[0].saml: this module is not built into this version; take it out"
        )
        self.assertIn("7: edges.https[0].routes[0].no_such_thing: is not a known key or module", problems[1])

    def test_unknown_keys(self) -> None:
        """Unknown keys are problems with a line and a suggestion, all of them at once."""
        self.assertProblem(
            "domian: x\nlisten: {htps: tcp:1}\nedges:\n  https:\n  - hostport: []\n",
            "1: domian: is not a known key; did you mean 'domain'?",
            "2: listen.htps: is not a known key; did you mean 'https'?",
            "5: edges.https[0].hostport: is not a known key or module; did you mean 'hostports'?",
        )

    def test_read_only(self) -> None:
        """What the loader finds itself cannot be written."""
        self.assertProblem("keys: []\n", "1: keys: is set by the server; take it out")

    def test_authorized_keys(self) -> None:
        """A key file that is missing is a problem; a bad line in one is a warning."""
        self.assertProblem(
            "ssh:\n  authorized_keys: none\n",
            f"2: ssh.authorized_keys[0]: the file {self.folder / 'none'} cannot be read: No such file or directory",
        )
        (self.folder / "keys").write_text("ssh-dss AAAA old\n")
        self.assertIn(":1: this key may not connect", self.load("ssh: {authorized_keys: keys}").warnings[0])
        self.assertTrue(os.path.exists(self.folder / "keys"))
