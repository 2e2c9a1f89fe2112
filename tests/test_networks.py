"""
Tests for `ngrok_twisted.networks`.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hypothesis import given, strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.networks import NO_RULES, Admission, NetworkSet, admits, parse_host, parse_network

# Few bits vary, so that networks overlap, touch and repeat; the rest is a prefix that they share.
_SMALL = st.integers(0, 15)


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """A CIDR block, of IPv4, of IPv6, or of IPv4 in IPv6 form."""
    low, size = draw(_SMALL), draw(st.integers(0, 4))
    low = low >> size << size
    base, bits, form = draw(
        st.sampled_from(
            [(0xC0000200, 32, IPv4Address), (0x20010DB8 << 96, 128, IPv6Address), (0xFFFF << 32, 128, IPv6Address)]
        )
    )
    whole = draw(st.sampled_from([False, False, False, True]))
    return f"{form(0)}/0" if whole else f"{form(base | low)}/{bits - size}"


@st.composite
def hosts(draw: st.DrawFn) -> str:
    """An address near those blocks."""
    low = draw(st.integers(0, 20))
    kind = draw(
        st.sampled_from([(0xC0000200, IPv4Address), (0x20010DB8 << 96, IPv6Address), (0xFFFF << 32, IPv6Address)])
    )
    return str(kind[1](kind[0] | low))


def naive(rules: list[tuple[str, str]], host: str) -> bool:
    """What the rules say, word by word: no thought is given to speed."""

    def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
        return getattr(address, "ipv4_mapped", None) or address

    def matches(cidr: str) -> bool:
        network: IPv4Network | IPv6Network = ip_network(cidr)
        first = unmapped(network.network_address)
        if isinstance(first, IPv4Address) and network.version == 6:
            network = IPv4Network((first, network.prefixlen - 96))
        return unmapped(ip_address(host)) in network

    said = {action for cidr, action in rules if matches(cidr)}
    return said == {"allow"}


class AdmissionTests(SynchronousTestCase):
    """The rules of several policies together."""

    @given(st.lists(st.lists(st.tuples(blocks(), st.sampled_from(["allow", "deny"])))), hosts())
    def test_reference(self, policies: list[list[tuple[str, str]]], host: str) -> None:
        """Whatever the rules are, the fast answer is that of reading all of them, one after the other."""
        admissions = [
            Admission(
                *(
                    NetworkSet(parse_network(cidr) for cidr, said in rules if said == wanted)
                    for wanted in ("allow", "deny")
                )
            )
            for rules in policies
        ]
        self.assertEqual(admits(admissions, host), naive([rule for rules in policies for rule in rules], host))

    def test_nothing_said(self) -> None:
        """Nobody is admitted by no policy, or by one without rules."""
        self.assertFalse(admits([], "192.0.2.1"))
        self.assertFalse(admits([NO_RULES], "192.0.2.1"))

    def test_no_address(self) -> None:
        """What is no IP address is never admitted."""
        everybody = Admission(NetworkSet([parse_network("0.0.0.0/0"), parse_network("::/0")]), NetworkSet())
        for host in ("", "/run/socket", "example.com", "1.2.3", "::1::", "192.0.2.1\0", "\ud800:"):
            self.assertFalse(admits([everybody], host), host)
        for host in ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"):
            self.assertTrue(admits([everybody], host), host)

    def test_two_worlds(self) -> None:
        """All of IPv6 holds no IPv4 address, not even one in IPv6 form."""
        six = Admission(NetworkSet([parse_network("::/0")]), NetworkSet())
        self.assertFalse(admits([six], "192.0.2.1"))
        self.assertFalse(admits([six], "::ffff:192.0.2.1"))
        self.assertTrue(admits([six], "::1"))


class ParseNetworkTests(SynchronousTestCase):
    """Blocks as ngrok's API wants them written."""

    def test_good(self) -> None:
        """A block is read whatever its case; one of IPv4 addresses in IPv6 form is one of IPv4."""
        for text, meant in {
            "192.0.2.0/24": "192.0.2.0/24",
            "0.0.0.0/0": "0.0.0.0/0",
            "192.0.2.1/32": "192.0.2.1/32",
            "2001:DB8::/32": "2001:db8::/32",
            "::/0": "::/0",
            "::ffff:192.0.2.0/120": "192.0.2.0/24",
            "::ffff:0:0/96": "0.0.0.0/0",
        }.items():
            self.assertEqual(str(parse_network(text)), meant)

    def test_bad(self) -> None:
        """Everything else has a code, and what to write instead where that is clear."""
        for text, code, remedy in (
            ("", 1406, "192.0.2.0/24"),
            ("192.0.2.0/", 1406, "/32"),
            ("192.0.2.0/33", 1406, "/32"),
            ("2001:db8::/129", 1406, "/128"),
            ("192.0.2.0/024", 1406, "/32"),
            ("192.0.2.0/-1", 1406, "/32"),
            ("192.0.2.0/255.255.255.0", 1406, "/32"),
            ("192.0.2.0/\u0663", 1406, "/32"),
            ("192.0.02.0/24", 1406, "192.0.2.0/24"),
            ("192.0.2/24", 1406, "192.0.2.0/24"),
            (" 192.0.2.0/24", 1406, "192.0.2.0/24"),
            ("fe80::%eth0/64", 1406, "2001:db8::/32"),
            ("192.0.2.1", 1413, "write 192.0.2.1/32"),
            ("2001:DB8::1", 1413, "write 2001:db8::1/128"),
            ("::ffff:192.0.2.1", 1413, "write 192.0.2.1/32"),
            ("192.0.2.1/24", 1409, "write 192.0.2.0/24"),
            ("2001:db8::1/64", 1409, "write 2001:db8::/64"),
            ("::ffff:192.0.2.1/120", 1409, "write 192.0.2.0/24"),
        ):
            refused = self.assertRaises(Refused, parse_network, text)
            self.assertEqual(refused.code, code, text)
            self.assertIn(remedy, refused.message)

    def test_long(self) -> None:
        """A message repeats only the beginning of what was sent."""
        self.assertLess(len(self.assertRaises(Refused, parse_network, "x" * 10_000).message), 200)

    def test_bare(self) -> None:
        """Where a single address will do, it is a block of one."""
        self.assertEqual(str(parse_network("192.0.2.1", bare=True)), "192.0.2.1/32")
        self.assertEqual(str(parse_network("::ffff:192.0.2.1", bare=True)), "192.0.2.1/32")
        self.assertEqual(str(parse_network("2001:db8::1", bare=True)), "2001:db8::1/128")
        self.assertEqual(self.assertRaises(Refused, parse_network, "x", bare=True).code, 1406)

    @given(
        st.text("0123456789abcdefABCDEFx:.%/-+ \0é", max_size=24)
        | st.ip_addresses().map(str)
        | st.lists(
            st.sampled_from(["0", "00", "1", "ffff", "255", "256", "08", "12345", "1.2.3.4", "01.2.3.4", ""])
        ).map(":".join)
        | st.lists(st.sampled_from(["0", "00", "1", "255", "256", "08", "", " 1", "+1"]), max_size=5).map(".".join)
    )
    def test_written(self, text: str) -> None:
        """What is an address, and which, is what the standard library says of it; but a zone is no part of one."""
        try:
            expected = None if "%" in text else int(ip_address(text))
        except ValueError:
            expected = None
        found = parse_host(text) if "%" not in text else None
        try:
            block = parse_network(text, bare=True)
        except Refused:
            self.assertIsNone(expected)
            self.assertIsNone(found)
            return
        self.assertIn(expected, (block.first, block.first | 0xFFFF << 32))
        self.assertEqual(found, (block.version, block.first))

    @given(st.integers(0, 2**32 - 1), st.integers(0, 32))
    def test_round(self, number: int, length: int) -> None:
        """A block's text means the block."""
        lowest = number >> 32 - length << 32 - length
        network = parse_network(f"{IPv4Address(lowest)}/{length}")
        self.assertEqual(str(network), f"{IPv4Address(lowest)}/{length}")
        self.assertEqual(network.last - network.first + 1, 2 ** (32 - length))


class NetworkSetTests(SynchronousTestCase):
    """Many networks, one search."""

    def test_empty(self) -> None:
        """A set without networks is false and holds nothing."""
        self.assertFalse(NetworkSet())
        self.assertTrue(NetworkSet([parse_network("::/0")]))
        self.assertNotIn((4, 0), NetworkSet())

    def test_ends(self) -> None:
        """The first and the last address of a range are in it, their neighbours are not; ranges that touch are one."""
        found = NetworkSet([parse_network("192.0.2.64/26"), parse_network("192.0.2.128/26")])
        inside = [host for host in range(256) if parse_host(f"192.0.2.{host}") in found]  # type: ignore[operator]
        self.assertEqual(inside, list(range(64, 192)))

    def test_whole_world(self) -> None:
        """The highest address there is has an end behind it too."""
        for version, bits in ((4, 32), (6, 128)):
            text = "0.0.0.0/0" if version == 4 else "::/0"
            self.assertIn((version, 2**bits - 1), NetworkSet([parse_network(text)]))
