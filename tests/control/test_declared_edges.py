"""
Declared edges: what the rules say of them, with path and line (`ngrok_twisted.control.seed`).
"""

from __future__ import annotations

from tests.control.declaring import ConfigCase

START = """\
domain: example.com
accounts: [{name: blue}]
reserved_domains: [{domain: "*.shop.example"}, {domain: blue.example, account: blue}]
reserved_addrs: [{addr: "tcp.example.com:20000"}, {name: b, account: blue, addr: "tcp.example.com:20001"}]
edges:
"""


class HostportTests(ConfigCase):
    """Which names and addresses an edge may serve."""

    def edges(self, kind: str, *hostports: str) -> list[str]:
        """What is wrong with one edge of these hostports."""
        lines = "".join(f"    - '{hostport}'\n" for hostport in hostports)
        problems = self.problems(f"{START}  {kind}:\n  - hostports:\n{lines}")
        return [problem.removeprefix(f"8: edges.{kind}[0].hostports[0]: ") for problem in problems]

    def test_allowed(self) -> None:
        """Reserved names, names below them, and names under the base domain are allowed."""
        names = ("*.shop.example:443", "a.b.shop.example:443", "app.example.com:443", "a.b.example.com:443")
        self.assertEqual(self.edges("https", *names), [])
        self.assertEqual(self.edges("tcp", "tcp.example.com:20000"), [])

    def test_not_a_hostport(self) -> None:
        """Something else than host:port is refused."""
        self.assertEqual(
            self.edges("https", "shop.example"),
            ["must be host:port: 'shop.example' has no port: write it as host:port. (ERR_NGROK_7104)"],
        )

    def test_port(self) -> None:
        """Names have port 443."""
        self.assertEqual(
            self.edges("https", "a.shop.example:8443"),
            ["its port must be 443, whatever port the listener has (ERR_NGROK_7116)"],
        )

    def test_not_reserved(self) -> None:
        """A name that nobody reserved is refused, also the parent of a wildcard."""
        for name in ("else.example", "shop.example", "example.com"):
            self.assertIn("ERR_NGROK_7117", self.edges("tls", f"{name}:443")[0])

    def test_other_account(self) -> None:
        """A name or address of another account, or below such a name, is refused."""
        for name in ("blue.example", "a.blue.example"):
            self.assertEqual(
                self.edges("tls", f"{name}:443"), [f"{name} is reserved by another account (ERR_NGROK_7118)"]
            )
        self.assertEqual(
            self.edges("tcp", "tcp.example.com:20001"), ["is reserved by another account (ERR_NGROK_7114)"]
        )

    def test_service(self) -> None:
        """The service's own names are refused."""
        self.assertEqual(
            self.edges("https", "api.example.com:443"),
            ["api.example.com is the service's own name; choose another (ERR_NGROK_7117)"],
        )

    def test_wrong_kind(self) -> None:
        """An address on an edge of names, and a name on one of addresses, are refused."""
        self.assertIn("ERR_NGROK_7121", self.edges("https", "tcp.example.com:20000")[0])
        self.assertIn("ERR_NGROK_7120", self.edges("tcp", "a.shop.example:443")[0])
        self.assertIn("ERR_NGROK_7113", self.edges("tcp", "tcp.example.com:20005")[0])

    def test_twice(self) -> None:
        """A hostport belongs to one edge."""
        self.assertProblem(
            START + "  https:\n  - hostports: ['a.example.com:443']\n  tls:\n  - hostports: ['A.example.com:443']\n",
            "9: edges.tls[0].hostports[0]: another edge has it already; "
            "an address belongs to one edge; see edges.https[0] (ERR_NGROK_7122)",
        )

    def test_none(self) -> None:
        """An edge without any is refused."""
        self.assertProblem(
            START + "  tcp:\n  - name: x\n",
            "7: edges.tcp[0].hostports: needs at least one host:port, or nobody reaches the edge",
        )


class RouteTests(ConfigCase):
    """Routes."""

    def routes(self, *matches: str) -> list[str]:
        """What is wrong with these routes."""
        lines = "".join(f"    - {{match: {match}}}\n" for match in matches)
        text = f"{START}  https:\n  - hostports: ['a.example.com:443']\n    routes:\n{lines}"
        return [problem.partition("edges.https[0].")[2] for problem in self.problems(text)]

    def test_path(self) -> None:
        """A match is a path that starts with a slash, percent-encoded, without a query."""
        said = "must be a path that starts with '/', percent-encoded (ERR_NGROK_7131)"
        self.assertEqual(self.routes("a", "/ä"), [f"routes[0].match: {said}", f"routes[1].match: {said}"])
        self.assertIn("without a query", self.routes("'/a?b'")[0])
        self.assertIn("ERR_NGROK_7135", self.routes("/" + "a" * 2048)[0])

    def test_twice(self) -> None:
        """Two routes that match the same are refused."""
        self.assertEqual(
            self.routes("/a", "/b", "/a"),
            ["routes[2].match: routes[0] matches the same paths (ERR_NGROK_7126)"],
        )

    def test_match_type(self) -> None:
        """A match type that does not exist is refused with those that do."""
        self.assertProblem(
            START + "  https:\n  - hostports: ['a.example.com:443']\n    routes: [{match_type: prefix}]\n",
            "8: edges.https[0].routes[0].match_type: must be one of exact_path, path_prefix; did you mean 'path_prefix'?",
        )
