"""
Tests of `ngrok_twisted.control.checks`, and of what rules say of a file: each refused case prints line, path, cause, remedy.
"""

from __future__ import annotations

from tests.control.declaring import KEY, ConfigCase, make_pair


class ServerTests(ConfigCase):
    """The server's own settings."""

    def test_domain(self) -> None:
        """The domain is a name without a star."""
        self.assertProblem("domain: a_b.example\n", "1: domain: 'a_b.example' has an underscore. (ERR_NGROK_438)")
        self.assertProblem(
            "\ndomain: '*.example.com'\ntcp: {host: h.example}\n",
            "2: domain: must be a name without a star: the names under it are made by the server",
        )

    def test_ports(self) -> None:
        """Ports are from 1 to 65535, ranges the right way round."""
        self.assertProblem("public_port: 0\n", "1: public_port: must be a port from 1 to 65535")
        self.assertProblem(
            "tcp: {ports: 2-1}\n", "1: tcp.ports: must be a range of ports from 1 to 65535, the lower one first"
        )
        self.assertProblem("tcp: {ports: many}\n", "1: tcp.ports: must be a range of ports, such as 20000-29999")

    def test_workers(self) -> None:
        """There is at least one process, and not more than makes sense on any machine."""
        self.assertProblem("workers: 0\n", "1: workers: must be from 1 to 64")
        self.assertProblem("workers: 65\n", "1: workers: must be from 1 to 64")
        self.assertEqual(self.problems("workers: 64\n"), [])

    def test_tcp(self) -> None:
        """The TCP host is a name, the interface an address."""
        self.assertProblem("tcp: {host: a..b}\n", "1: tcp.host: 'a..b' has an empty part. (ERR_NGROK_327)")
        self.assertProblem(
            "tcp: {interface: eth0}\n",
            "1: tcp.interface: must be an IP address of this machine, 0.0.0.0 for all of IPv4, '::' for all",
        )

    def test_store(self) -> None:
        """The store is one of those there are; a password in a bad one is not repeated."""
        said = "must be sqlite, memory, or a postgresql:// URL"
        self.assertProblem("store: sqllite\n", f"1: store: {said}; did you mean 'sqlite'?")
        self.assertProblem("store: sqlite:///x.db\n", f"1: store: {said}; did you mean 'sqlite'?")
        self.assertProblem("store: mysql://u:geheim@h/d\n", f"1: store: {said}")

    def test_listeners(self) -> None:
        """Listeners are endpoint strings, and none is there twice."""
        problems = self.problems("listen:\n  https: [tcp:443, tcp:443]\n  http: tcp:http\n  ssh: carrier-pigeon\n")
        self.assertEqual(
            problems[0], "2: listen.https[1]: is the same listener as listen.https[0]; each needs its own port"
        )
        self.assertIn("3: listen.http[0]: is not a Twisted endpoint string such as tcp:443", problems[1])
        self.assertIn("4: listen.ssh[0]: is not a Twisted endpoint string such as tcp:443", problems[2])

    def test_activated_listeners(self) -> None:
        """Sockets of systemd's are looked for by the process that gets them alone; what can be wrong without them is told."""
        good = "listen: {https: 'systemd:domain=INET:index=0', ssh: 'systemd:domain=INET6:name=ssh'}\n"
        self.assertEqual(self.problems(good), [])
        self.assertProblem(
            "listen: {https: 'systemd:domain=INET'}\n",
            "1: listen.https[0]: must say which socket it is, by 'index=' or by 'name=', and nothing else",
        )

    def test_impossible_port(self) -> None:
        """A port that no machine has is found before any other is opened."""
        self.assertProblem(
            "listen:\n  ssh: tcp:70000\n", "2: listen.ssh[0]: its port must be at most 65535, and 70000 is more"
        )

    def test_paths(self) -> None:
        """A path that no file system has is refused."""
        said = "holds a NUL character, which no path has"
        self.assertProblem('state: "a\\0b"\n', f"1: state: {said}")
        self.assertProblem('\naccess_log: "\\0"\n', f"2: access_log: {said}")
        self.assertProblem(f"state: {'x' * 300}\n", "1: state: cannot be a path here: File name too long")

    def test_access_log(self) -> None:
        """A log that could not be written is found before the start, not by the lines that are missing."""
        self.assertProblem(
            "access_log: /nonsuch/access.log\n",
            "1: access_log: there is no folder /nonsuch; make it, or name a file elsewhere",
        )
        self.assertProblem("access_log: /tmp\n", "1: access_log: /tmp is a folder; name a file, or 'off'")

    def test_proxy_protocol(self) -> None:
        """Load balancers are networks or addresses, each problem with its place; listeners are the five that there are."""
        text = "proxy_protocol: {trusted: [10.0.0.0/8, 2001:db8::7, 192.0.2.1/24, lb.example.com]}\n"
        said = [problem.partition(": ")[2] for problem in self.problems(text)]
        self.assertEqual(
            said,
            [
                "proxy_protocol.trusted[2]: '192.0.2.1/24' does not start at its lowest address; write 192.0.2.0/24",
                "proxy_protocol.trusted[3]: 'lb.example.com' is not a CIDR block such as 192.0.2.0/24 or 2001:db8::/32",
            ],
        )
        self.assertEqual(self.problems("proxy_protocol: {trusted: 10.0.0.7, listeners: [https, agent, tcp]}\n"), [])
        self.assertEqual(len(self.problems("proxy_protocol: {trusted: 10.0.0.7, listeners: [api]}\n")), 1)

    def test_metrics_listeners(self) -> None:
        """Metrics are read in plain HTTP, on a port of their own, beside at least one listener for traffic."""
        self.assertEqual(self.problems("listen: {http: 'tcp:80', metrics: 'tcp:9090:interface=127.0.0.1'}\n"), [])
        self.assertProblem(
            "listen: {http: 'tcp:80', metrics: 'ssl:9090:privateKey=k.pem'}\n",
            "1: listen.metrics[0]: is for plain HTTP, such as tcp:9090:interface=127.0.0.1",
        )
        (said,) = self.problems("listen: {http: 'tcp:80', metrics: 'tcp:80'}\n")
        self.assertIn("is the same listener as listen.http[0]", said)
        (said,) = self.problems("listen: {metrics: 'tcp:9090'}\n")
        self.assertIn("names no listener", said)

    def test_wrapped_listeners(self) -> None:
        """TLS is read from the socket itself, so an https listener has nothing around it; others may have."""
        said = "must be a plain listener such as tcp:443: the edge reads TLS itself, not behind haproxy:"
        said += " (PROXY headers are what proxy_protocol.trusted is for)"
        self.assertProblem("listen:\n  https: haproxy:tcp:443\n", f"2: listen.https[0]: {said}")
        self.assertProblem(
            "listen:\n  agent: haproxy:tcp:4443\n", f"2: listen.agent[0]: {said.replace('tcp:443', 'tcp:4443')}"
        )
        self.assertEqual(self.problems("listen:\n  http: haproxy:tcp:80\n  ssh: haproxy:tcp:22\n"), [])
        self.assertIn("names no listener", self.problems("listen: {}\n")[0])

    def test_api_listeners(self) -> None:
        """The API's own listener has no TLS: its URLs would say otherwise."""
        self.assertEqual(self.problems("listen: {api: 'haproxy:tcp:4040'}\n"), [])
        self.assertProblem(
            "listen:\n  api: ssl:4040:privateKey=k.pem\n",
            "2: listen.api[0]: is for plain HTTP, such as tcp:4040; with TLS the API is on the https listener",
        )

    def test_rates(self) -> None:
        """Rates may be turned off, and not be less than nothing."""
        self.assertEqual(self.problems("limits: {api_requests_per_minute: 0, api_failures_per_minute: 0}\n"), [])
        self.assertProblem(
            "limits: {api_requests_per_minute: -1}\n",
            "1: limits.api_requests_per_minute: must be at least 1, or 0 for no limit",
        )

    def test_http2(self) -> None:
        """HTTP/2 may be switched off, and has a bound."""
        self.assertEqual(self.problems("limits: {http2_requests: 0}\n"), [])
        for number in (-1, 1001):
            self.assertProblem(
                f"limits: {{http2_requests: {number}}}\n",
                "1: limits.http2_requests: must be at most 1000, or 0 for no HTTP/2",
            )

    def test_numbers(self) -> None:
        """Counts are at least 1, times are seconds of a day at most."""
        self.assertProblem("ssh: {max_forwards: 0}\n", "1: ssh.max_forwards: must be at least 1")
        said = "is a time in seconds, more than 0 and at most 86400"
        self.assertProblem("timeouts: {http_idle: 0}\n", f"1: timeouts.http_idle: {said}")
        self.assertProblem("timeouts: {stream_idle: 300000}\n", f"1: timeouts.stream_idle: {said}")
        self.assertProblem("agent: {max_streams: 0}\n", "1: agent.max_streams: must be from 1 to 490")
        self.assertProblem(
            "agent: {max_sessions_per_credential: 0}\n", "1: agent.max_sessions_per_credential: must be at least 1"
        )
        self.assertProblem("agent: {stream_wait_seconds: -1}\n", f"1: agent.stream_wait_seconds: {said}")

    def test_texts(self) -> None:
        """Descriptions and metadata have the lengths that ngrok's API allows, in bytes."""
        self.assertProblem(
            f"reserved_domains:\n- domain: a.example\n  description: {'é' * 128}\n  metadata: {'x' * 4097}\n",
            "3: reserved_domains[0].description: is longer than 255 bytes",
            "4: reserved_domains[0].metadata: is longer than 4096 bytes",
        )


class OwnerTests(ConfigCase):
    """Accounts, names and keys."""

    def test_accounts(self) -> None:
        """Accounts have different names, and are declared before they own something."""
        self.assertProblem(
            "accounts: [{name: blue}]\nreserved_domains:\n- {domain: a.example, account: blu}\n",
            "3: reserved_domains[0].account: there is no account of this name; did you mean 'blue'?",
        )
        self.assertProblem(
            "accounts:\n- {name: blue}\n- {name: blue}\n",
            "3: accounts[1].name: must be a name of its own; this one is empty or taken",
        )

    def test_names(self) -> None:
        """Names are unique in a list, over all its kinds."""
        self.assertProblem(
            "backends:\n  tunnel_group:\n  - {name: web, labels: {a: b}}\n  http_response:\n  - {name: web}\n",
            "5: backends.http_response[0].name: is the name of backends.tunnel_group[0] already; "
            "names are unique in a list",
        )

    def test_credentials(self) -> None:
        """Keys are acceptable, declared once, and their rules are understood."""
        self.assertProblem(
            f"accounts: [{{name: blue}}]\nssh_credentials:\n- {{public_key: {KEY}, acl: [app]}}\n- {{public_key: nonsense}}\n"
            f"- {{public_key: {KEY} again}}\n- {{public_key: {KEY}, account: blue}}\n",
            "3: ssh_credentials[0].acl[0]: An ACL rule is '*', or 'bind:' and a name, an address or a label. (ERR_NGROK_600)",
            "4: ssh_credentials[1].public_key: A public key is one line: its type, then base64. (ERR_NGROK_612)",
            "5: ssh_credentials[2].public_key: this key is ssh_credentials[0] already; change that one, or delete it first (ERR_NGROK_609)",
            "6: ssh_credentials[3].public_key: this key is used by another account; see ssh_credentials[0] (ERR_NGROK_610)",
        )

    def test_key_of_two_accounts(self) -> None:
        """A key of another account may not stand in authorized_keys, which belongs to the default account."""
        (self.folder / "keys").write_text(KEY)
        self.assertProblem(
            f"accounts: [{{name: blue}}]\nssh: {{authorized_keys: keys}}\n"
            f"ssh_credentials: [{{public_key: {KEY}, account: blue}}]\n",
            f"2: ssh.authorized_keys: the key in {self.folder / 'keys'}:1 is declared by ssh_credentials[0] for the account "
            "blue; take it out of one (ERR_NGROK_610)",
        )


class PlaceTests(ConfigCase):
    """Domains and addresses."""

    def test_domains(self) -> None:
        """Domains are names, declared once, not the service's own, and no account takes what is below another's."""
        self.assertProblem(
            "domain: example.com\naccounts: [{name: blue}]\nreserved_domains:\n- {domain: '*.shop.example'}\n"
            "- {domain: Shop-.example}\n- {domain: api.example.com}\n- {domain: '*.SHOP.example'}\n"
            "- {domain: a.b.shop.example, account: blue}\n",
            "5: reserved_domains[1].domain: 'Shop-.example': each part ends with a letter or a digit. (ERR_NGROK_408)",
            "6: reserved_domains[2].domain: api.example.com is the service's own name; choose another (ERR_NGROK_404)",
            "7: reserved_domains[3].domain: *.shop.example is reserved already; see reserved_domains[0] (ERR_NGROK_413)",
            "8: reserved_domains[4].domain: a.b.shop.example overlaps a domain of another account; "
            "choose a name outside of it; see reserved_domains[0] (ERR_NGROK_417)",
        )

    def test_overlaps(self) -> None:
        """Domains of two accounts share no name, whichever of them is declared first."""
        overlaps = [("*.a.b", "x.a.b"), ("*.a.b", "a.b"), ("*.a.b", "*.x.a.b"), ("a.b", "x.a.b"), ("a.b", "*.x.a.b")]
        apart = [("x.a.b", "y.a.b"), ("a.b", "xa.b"), ("*.a.b", "*.xa.b"), ("*.a.b", "x.b")]
        for first, second in overlaps + apart:
            for one, other in ((first, second), (second, first)):
                found = self.problems(
                    f"accounts: [{{name: blue}}]\nreserved_domains:\n- {{domain: '{one}'}}\n"
                    f"- {{domain: '{other}', account: blue}}\n"
                )
                said = f"4: reserved_domains[1].domain: {other} overlaps a domain of another account; choose a name "
                wanted = (
                    [f"{said}outside of it; see reserved_domains[0] (ERR_NGROK_417)"]
                    if (first, second) in overlaps
                    else []
                )
                self.assertEqual(found, wanted)

    def test_addresses(self) -> None:
        """Addresses have the server's TCP host, a port of its range, and are declared once."""
        self.assertProblem(
            "tcp: {host: tcp.example.com, ports: 20000-20009}\nreserved_addrs:\n- {addr: 'tcp.example.com:20001'}\n"
            "- {addr: 'tcp.example.com:20001'}\n- {addr: 'other.example.com:20002'}\n- {addr: 'tcp.example.com:80'}\n"
            "- {addr: tcp.example.com}\n- {description: odd}\n",
            "4: reserved_addrs[1].addr: tcp.example.com:20001 is reserved already; see reserved_addrs[0]",
            "5: reserved_addrs[2].addr: its host must be tcp.host, which is tcp.example.com",
            "6: reserved_addrs[3].addr: its port must be one of tcp.ports, which is 20000-20009",
            "7: reserved_addrs[4].addr: 'tcp.example.com' has no port: write it as host:port. (ERR_NGROK_18003)",
            "8: reserved_addrs[5]: needs a name or an addr: without an addr the port is chosen by the name",
        )

    def test_too_many_addresses(self) -> None:
        """There are not more addresses than ports."""
        self.assertProblem(
            "tcp: {ports: 20000-20000}\nreserved_addrs: [{name: a}, {name: b}]\n",
            "2: reserved_addrs: there are more addresses than ports in tcp.ports (20000-20000)",
        )


class CertificateTests(ConfigCase):
    """Certificates and their keys."""

    def certificates(self, certificate: str, key: str) -> list[str]:
        """What is wrong with a pair."""
        (self.folder / "a.pem").write_text(certificate)
        (self.folder / "a.key").write_text(key)
        return self.problems("tls_certificates:\n- certificate_pem: file:a.pem\n  private_key_pem: file:a.key\n")

    def test_pair(self) -> None:
        """A pair that belongs together has no problem."""
        self.assertEqual(self.certificates(*make_pair()), [])

    def test_mismatch(self) -> None:
        """A key of another certificate is a problem of the key."""
        (problem,) = self.certificates(make_pair()[0], make_pair()[1])
        self.assertTrue(problem.startswith("3: tls_certificates[0].private_key_pem: "), problem)
        self.assertIn("ERR_NGROK_1923", problem)

    def test_swapped(self) -> None:
        """A certificate and a key in each other's place are problems of both, and no key is printed."""
        certificate, key = make_pair()
        problems = self.certificates(key, certificate)
        self.assertEqual(
            [problem.split(": ")[:2] for problem in problems],
            [["2", "tls_certificates[0].certificate_pem"], ["3", "tls_certificates[0].private_key_pem"]],
        )
        self.assertNotIn(key.splitlines()[1], str(problems))


class ReferenceTests(ConfigCase):
    """Names in the place of ids."""

    def test_unknown(self) -> None:
        """A name that nothing has is a problem with a suggestion, wherever it stands."""
        said = "there is nothing of this name or id in"
        self.assertProblem(
            "reserved_domains:\n- {domain: a.example, certificate_id: shop}\nbackends:\n"
            "  tunnel_group: [{name: web, labels: {a: b}}]\n  failover: [{name: main, backends: [web, wbe]}]\n"
            "  weighted: [{name: split, backends: {web: 1, canary: 2}}]\n"
            "edges:\n  tls:\n  - hostports: ['a.example:443']\n    backend: {backend_id: mian}\n",
            f"2: reserved_domains[0].certificate_id: {said} tls_certificates",
            f"5: backends.failover[0].backends[1]: {said} backends; did you mean 'web'?",
            f"6: backends.weighted[0].backends.canary: {said} backends",
            f"10: edges.tls[0].backend.backend_id: {said} backends; did you mean 'main'?",
        )

    def test_other_account(self) -> None:
        """What belongs to another account cannot be referred to."""
        self.assertProblem(
            "accounts: [{name: blue}]\nbackends:\n  http_response: [{name: sorry, account: blue}]\n"
            "edges:\n  tls: [{hostports: ['a.ngrok.localhost:443'], backend: {backend_id: sorry}}]\n",
            "5: edges.tls[0].backend.backend_id: backends.http_response[0] belongs to another account",
        )

    def test_ring(self) -> None:
        """Backends that lead back to themselves are refused, each of them."""
        said = "this backend leads back to itself; break the ring (ERR_NGROK_6513)"
        self.assertProblem(
            "backends:\n  failover:\n  - {name: a, backends: [b]}\n  - {name: b, backends: [a]}\n"
            "  - {name: c, backends: [a]}\n  - {name: d, backends: [d]}\n",
            f"3: backends.failover[0].backends: {said}",
            f"4: backends.failover[1].backends: {said}",
            "5: backends.failover[2].backends: a failover inside a failover holds a third one; take one out (ERR_NGROK_6513)",
            f"6: backends.failover[3].backends: {said}",
        )
