"""
Agents of the agent protocol that are broken or hostile, with an authtoken and without: none of them gets what is another's,
and whoever is honest hardly notices.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import socket
import threading
import time
from collections import Counter
from typing import Any, Callable

from ngrok_twisted.transports.agent.frames import SYN, WINDOW
from ngrok_twisted.transports.agent.typed import StreamType
from tests.functional.clients import fetch, open_tls, tls_context
from tests.functional.edge import AUTHTOKEN, DOMAIN, TCP_HOST
from tests.functional.rude_agent import ANSWERED, RudeAgent, answers, known, linger
from tests.functional.rude_case import SECRET, THEIRS, RudeCase, code
from tests.transports.agent.client import Seen
from tests.transports.agent.wire import data, frame, goaway, rst, wndinc
from tests.transports.agent.world import auth, bind

#: Seconds of each flood.
FLOOD = 0.7

BIND, UNBIND, AUTH, LABEL = StreamType.BIND, StreamType.UNBIND, StreamType.AUTH, StreamType.START_TUNNEL_WITH_LABEL
MEBIBYTE = 1024 * 1024


class StrangerTests(RudeCase):
    """Who shows no authtoken."""

    def test_garbage(self) -> None:
        """Bytes that are no frames, or no TLS, cost their sender the connection."""
        chance = random.Random(1)
        for front in (False, True) * 40:
            agent = RudeAgent(self.edge, front=front)
            agent.raw(chance.randbytes(chance.choice((1, 8, 60, 3000))))
            agent.turn(0)
            agent.close()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", self.edge.agent)) as plain:
                plain.sendall(chance.randbytes(300))

    def test_floods(self) -> None:
        """A stranger that opens streams, asks or sends much more than a login needs is sent away."""
        for flood in (
            b"".join(data(id, b"\0\0\0\0", SYN) + rst(id) for id in range(3, 4003, 2)),
            b"".join(data(id, b"", SYN) for id in range(3, 4003, 2)),
            data(3, StreamType.HEARTBEAT.word, SYN) + data(3, b"beat") * 40_000,
            data(3, b"\0\0\0\0" + b" " * 60_000, SYN) + data(5, b"\0\0\0\0" + b" " * 90_000, SYN),
        ):
            for front in (False, True):
                agent = self.stranger(front)
                agent.raw(flood)
                self.assertTrue(agent.ended(5))

    def test_requests(self) -> None:
        """Without a login nothing but the server's region is told, and not for long."""
        agent = self.stranger()
        self.assertTrue(agent.lives())
        for kind, message in ((BIND, bind()), (UNBIND, {"Id": "x"}), (LABEL, {"Labels": {"a": "b"}})):
            self.assertIn("before a successful login", agent.ask(kind, message)["Error"])
        replies = [agent.ask(StreamType.SRV_INFO, {}) for _ in range(6)]
        self.assertEqual((replies[0], replies[-1]), ({"Region": "us"}, None))

    def test_tokens(self) -> None:
        """No authtoken but a right one opens the door."""
        for token, expected in (
            ("", "4018"),
            (SECRET, "105"),
            (f"{'a' * 27}_{'b' * 21}", "107"),
            (AUTHTOKEN + "\0", "105"),
            ("\ud83d\ude00" * 9, "105"),
            ("x" * 50_000, "105"),
        ):
            self.assertEqual(code(self.stranger().login(token)), expected)
        agent = self.stranger()
        for extra, expected in (
            ({"HeartbeatInterval": 1}, "111"),
            ({"HeartbeatInterval": 10**19}, "111"),
            ({"HeartbeatTolerance": -1}, "112"),
            ({"LegNumber": 64}, "109"),
            ({"Metadata": "é" * 2049}, "100"),
            ({"AuthToken": [SECRET]}, "109"),
        ):
            self.assertEqual(code(agent.ask(AUTH, auth(AUTHTOKEN, **extra))), expected)
        self.assertEqual(code(agent.ask(AUTH, auth(AUTHTOKEN) | {"Version": ["9"]})), "811")
        self.assertEqual(agent.login(AUTHTOKEN)["Error"], "")
        self.assertEqual(code(agent.ask(AUTH, auth(AUTHTOKEN))), "109")


class FrameTests(RudeCase):
    """Frames that break the protocol, or that are right and of no use."""

    def test_floods(self) -> None:
        """Floods of frames that do nothing hold up nobody else."""
        before = self.edge.resident_megabytes()
        for flood in (data(9999), rst(9999), wndinc(9999, 1), data(9999) + data(9997), data(3, b"beat")):
            agent = self.agent()
            agent.open(StreamType.HEARTBEAT)
            end = time.monotonic() + FLOOD
            while time.monotonic() < end and not agent.over:
                agent.raw(flood * 2000)
        self.assertLess(self.edge.resident_megabytes() - before, 40)

    def test_streams(self) -> None:
        """An agent that opens streams and leaves them is told to calm down."""
        for end in (rst, lambda id: b"", lambda id: data(id, b"", 1)):
            agent = self.agent()
            agent.raw(b"".join(data(id, b"\0\0\0\1", SYN) + end(id) for id in range(1001, 13001, 2)))
            self.assertTrue(agent.ended(5))

    def test_fuzz(self) -> None:
        """Sessions of which some frames were changed end, or go on; the server does not care."""
        chance = random.Random(2)
        for _ in range(60):
            agent = known(self.edge, AUTHTOKEN)
            for _ in range(chance.randrange(1, 12)):
                agent.raw(self._any_frame(chance))
            agent.turn(0)
            if chance.random() < 0.3:
                linger(agent.socket)
            agent.close()

    @staticmethod
    def _any_frame(chance: random.Random) -> bytes:
        id = chance.choice((3, 5, 7, 9, 2, 4, 0, 1, 0x7FFFFFFF, chance.randrange(2**31)))
        body = chance.randbytes(chance.choice((0, 1, 4, 12, 300)))
        length = chance.choice((None, None, None, 0, 3, 2**24 - 1))
        return chance.choice(
            (
                lambda: frame(chance.randrange(16), id, body, chance.randrange(16), length),
                lambda: data(id | 1, b"\0\0\0" + bytes([chance.randrange(12)]) + body, SYN),
                lambda: data(id | 1, b"\0\0\0\1" + json.dumps(bind()).encode()[: chance.randrange(200)], SYN),
                lambda: wndinc(id, chance.choice((0, 1, 0x7FFFFFFF))),
                lambda: rst(id, chance.randrange(99)),
                lambda: data(id, body, chance.randrange(4)),
            )
        )()

    def test_deaf(self) -> None:
        """An agent that asks and does not read is cut off before it costs much memory."""
        before = self.edge.resident_megabytes()
        for wish in (data(9999, b"x") + data(9997, b"x"), b""):
            agent = self.agent()
            agent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            end = time.monotonic() + 10
            while time.monotonic() < end and not agent.over:
                agent.raw(wish * 3000 or self._large(agent))
            self.assertTrue(agent.ended(10))
        self.assertLess(self.edge.resident_megabytes() - before, 40)

    @staticmethod
    def _large(agent: RudeAgent) -> bytes:
        """A request with a reply of two hundred kilobytes."""
        agent.frame(agent.open(BIND), json.dumps(bind(opts={"Junk": "x" * 200_000})).encode())
        return b""

    def test_farewells(self) -> None:
        """However an agent leaves, its endpoints are gone at once."""
        for leave in (
            lambda agent: agent.go_away(),
            lambda agent: agent.raw(goaway(7, os.urandom(5000))),
            lambda agent: agent.raw(frame(3, 0, b"\0\0\0\0\0\0\0\0", length=0)),
            lambda agent: agent.close(),
            lambda agent: (linger(agent.socket), agent.close()),
            lambda agent: agent.raw(data(2, b"", SYN)),
            lambda agent: agent.raw(data(0, b"x")),
            lambda agent: agent.raw(rst(0)),
            lambda agent: agent.raw(frame(0, 5, b"\0")),
            lambda agent: agent.raw(frame(9, 0, b"") * 100),
        ):
            agent = self.agent()
            host = agent.bind()["Opts"]["Hostname"]
            leave(agent)
            self.eventually(lambda: self._is_offline(host), "end of an endpoint", 3)
            self.assertTrue(agent.ended(3))

    def _is_offline(self, host: str) -> bool:
        return fetch(self.edge, f"https://{host}/").headers.get("ngrok-error-code") == "ERR_NGROK_3200"


class WishTests(RudeCase):
    """Requests that cannot be right."""

    def test_limits(self) -> None:
        """An agent has so many endpoints at a time, and may ask for so many in a minute."""
        agent = self.agent()
        self.assertEqual(Counter(code(agent.bind()) for _ in range(21)), {"": 20, "350": 1})
        agent = self.agent()
        codes = Counter(self._come_and_go(agent, wish) for wish in range(80))
        self.assertEqual(set(codes), {"", "351"})
        self.assertLess(codes[""], 70)
        self.assertTrue(agent.lives())

    @staticmethod
    def _come_and_go(agent: RudeAgent, number: int) -> str:
        """Ask for an endpoint or a labelled tunnel, and give it back. :return: ngrok's number of a refusal."""
        reply = agent.bind() if number % 2 else agent.ask(LABEL, {"Labels": {"a": "b"}})
        agent.ask(UNBIND, {"Id": reply.get("Id", "")})
        return code(reply)

    def test_json(self) -> None:
        """Requests that are no JSON, too deep, too long or of the wrong shape are refused, and the session goes on."""
        agent = self.agent()
        for text in (
            b"[]",
            b"nonsense",
            b"{" * 40_000,
            b'{"a":' * 2000 + b"1" + b"}" * 2000,
            b'{"Opts":{"a":1e999}}',
            b'{"Opts":' + b"9" * 100_000 + b"}",
            b'{"Proto":"\\ud800"}',
            b'{"Proto":"\xff"}',
            b'{"Proto":NaN}',
            b'{"Opts":[],"Proto":"https"}',
            b"{" + b",".join(b'"k%d":{}' % number for number in range(20_000)) + b"}",
            b'{"Metadata":"' + b"x" * MEBIBYTE + b'"}',
        ):
            self.assertTrue(agent.ask(BIND, text)["Error"], text[:40])
        unfinished = agent.request(BIND, b'{"Opts":')
        agent.fin(unfinished)
        self.assertEqual(code(agent.answer(unfinished)), "301")
        self.assertTrue(agent.lives())

    def test_mutated(self) -> None:
        """A bind of which any member is anything is answered, one way or the other."""
        chance = random.Random(3)
        agent = self.agent()
        odd: tuple[Any, ...] = (
            None,
            True,
            0,
            -1,
            10**30,
            "",
            "\0",
            "\x1b[31m\r\n",
            "é" * 300,
            [],
            [[]],
            {},
            {"a": None},
            "x" * 70_000,
        )
        right = bind(opts={name: None for name in ("Hostname", "TrafficPolicy", "BasicAuth", "IPRestriction", "Addr")})
        for _ in range(150):
            wish = json.loads(json.dumps(right))
            for part in (wish, wish["Opts"], wish["Extra"]):
                for name in part:
                    if name not in ("Opts", "Extra") and chance.random() < 0.15:
                        part[name] = chance.choice(odd)
            if agent.over or not agent.lives():
                agent = self.agent()
            reply = agent.ask(BIND, wish)
            self.assertIsInstance(reply["Error"], str)
            if not reply["Error"]:
                agent.ask(UNBIND, {"Id": reply["Id"]})

    def test_heavy(self) -> None:
        """Options that take long to work out, or much memory, are refused before they do either."""
        agent = self.agent()
        laughs = "a: &a [x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)},' * 9}]\n" for n in range(9)
        )
        policies = (
            "[" + "1," * 400_000 + "]",
            "[" * 300_000,
            laughs,
            "\n".join(f"k{number}: &a{number} x" for number in range(40_000)),
            json.dumps(
                {"on_http_request": [{"actions": [{"type": "restrict-ips", "config": {"allow": ["x"] * 90_000}}]}]}
            ),
            json.dumps({"on_http_request": [{"expressions": ["(" * 20_000], "actions": [{"type": "deny"}]}] * 20}),
        )
        pem = (
            "-----BEGIN CERTIFICATE-----\n"
            + base64.b64encode(os.urandom(900)).decode()
            + "\n-----END CERTIFICATE-----\n"
        )
        chain = base64.b64encode((pem * 500).encode()).decode()
        wishes: list[dict[str, Any]] = [{"opts": {"TrafficPolicy": text[: MEBIBYTE - 3000]}} for text in policies]
        wishes += [
            {"opts": {"UserAgentFilter": {"allow": ["((a{0,100}){0,100}){0,100}"]}}},
            {"opts": {"UserAgentFilter": {"allow": ["a"] * 15_000}}},
            {"opts": {"IPRestriction": {"allow_cidrs": ["10.0.0.0/33"] * 15_000}}},
            {"opts": {"BasicAuth": {"credentials": [{"username": "u", "cleartext_password": SECRET}] * 3000}}},
            {"opts": {"RequestHeaders": {"add": ["a:b"] * 9000}}},
            {"opts": {"MutualTLSCA": {"mutual_tls_ca": chain}}},
            {"opts": {"TLSTermination": {"cert": chain, "key": chain[:40_000]}}, "proto": "tls"},
            {"opts": {"Hostname": "a." * 400_000}},
        ]
        for wish in wishes:
            self.assertTrue(agent.bind(**wish)["Error"], str(wish)[:80])

    def test_many_large(self) -> None:
        """Of many large requests at once some are refused, and nobody else waits for them."""
        agent = self.agent()
        text = json.dumps(bind(opts={"TrafficPolicy": "[" + "1," * 100_000 + "]"})).encode()
        ids = [agent.open(BIND) for _ in range(40)]
        for id in ids:
            agent.frame(id, text)
        replies = [agent.answer(id) for id in ids]
        self.assertTrue(all(reply["Error"] for reply in replies if reply is not None))


class NameTests(RudeCase):
    """What is another's, or nobody's."""

    config = {**RudeCase.config, "agent": {"max_binds_per_minute": 6000}}

    def test_names(self) -> None:
        """Names of the service, of others, and what is no name at all, are given to nobody."""
        agent = self.agent(THEIRS)
        names = [
            f"{name}.{DOMAIN}"
            for name in ("connect", "CONNECT", "ｃonnect", "api", "dashboard", "*", "x.wild", "*.wild")
        ]
        names += [
            DOMAIN,
            "..",
            "a..b",
            "-a",
            "a_b",
            "a\0b",
            "\x1b[31m",
            "xn--",
            "*",
            "*.*",
            "127.0.0.1",
            "[::1]",
            "a" * 64,
        ]
        names += ["a." * 130, "a/../b", "a?b#c", f"user@host.{DOMAIN}", ".internal", "a.b.c.d.e.f.internal", "a%00b"]
        for name in names:
            for opts in ({"Hostname": name}, {"Subdomain": name}, {"Domain": name}):
                reply = agent.bind(opts=opts)
                given = "" if reply["Error"] else reply["URL"]
                self.assertTrue(reply["Error"] or given.endswith(".internal"), (opts, given))
        for address in (
            f"{TCP_HOST}:{self.edge.tcp[0]}",
            f"{TCP_HOST}:22",
            "0.0.0.0:1",
            f"{TCP_HOST}:-1",
            "１:１",
            "\0:1",
        ):
            self.assertTrue(agent.bind(proto="tcp", opts={"Addr": address})["Error"], address)

    def test_identities(self) -> None:
        """Whatever another account shows of an agent's ids, tokens and cookies, it gets nothing of it, and ends nothing."""
        ours = self.agent()
        held = [ours.bind(), ours.bind(proto="tcp"), ours.bind(opts={"Hostname": f"mine.wild.{DOMAIN}"})]
        label = ours.ask(LABEL, {"Labels": {"a": "b"}})["Id"]
        tokens = [ours.cookie, "", "nonsense", *(reply["Extra"]["Token"] for reply in held)]
        for cookie in (*tokens, ours.cookie[:-2] + "AA"):
            thief = self.agent(THEIRS, client_id=ours.id, cookie=cookie)
            self.assertNotEqual(thief.id, ours.id)
            for reply in held:
                for token in tokens:
                    got = thief.bind(proto=reply["Proto"], id=reply["Id"], token=token, opts=reply["Opts"])
                    self.assertEqual(got["Id"], reply["Id"], "it is answered as if it were there")
                thief.ask(UNBIND, {"Id": reply["Id"]})
                patch = thief.ask(StreamType.PATCH_TUNNEL_STATE, {"TunnelId": reply["Id"], "Metadata": "theirs"})
                self.assertEqual(code(patch), "333")
            thief.ask(UNBIND, {"Id": label})
        self.assertFalse(ours.over)
        self.assertTrue(ours.lives())
        for reply in (held[0], held[2]):
            self._asked(ours, reply["Opts"]["Hostname"], reply["Id"])

    def _asked(self, agent: RudeAgent, host: str, id: str) -> None:
        """A visitor of a name comes to this endpoint of an agent."""
        before = len(agent.opened)
        with open_tls(self.edge, host) as visitor:
            visitor.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            agent.until(lambda: len(agent.opened) > before and len(agent.seen[agent.opened[-1]].data) > 12, "visitor")
            self.assertEqual(agent.seen[agent.opened[-1]].header["Id"], id)

    def test_own_past(self) -> None:
        """What an agent shows of its own past, in any mixture, gives it at most what it had, and only itself is replaced."""
        agent = self.agent()
        one, two = agent.bind(), agent.bind(proto="tcp")
        self.assertEqual(code(agent.bind(id=one["Id"], token=two["Extra"]["Token"], opts=one["Opts"])), "335")
        self.assertEqual(code(agent.bind(id=one["Id"], opts=one["Opts"])), "335")
        same = agent.bind(id=one["Id"], token=one["Extra"]["Token"], opts=one["Opts"])
        self.assertEqual((same["Id"], same["URL"]), (one["Id"], one["URL"]))
        other = self.agent()
        back = self.agent(client_id=agent.id, cookie=agent.cookie)
        self.assertEqual(back.id, agent.id)
        self.assertTrue(agent.ended(3))
        again = back.bind(proto="tcp", id=two["Id"], token=two["Extra"]["Token"], opts=two["Opts"])
        self.assertEqual((again["Id"], again["URL"]), (two["Id"], two["URL"]))
        self.assertTrue(other.lives())

    def test_legs(self) -> None:
        """Connections of one session stand side by side; one with the same number replaces its like alone."""
        first = self.agent()
        proof = {"client_id": first.id, "cookie": first.cookie}
        legs = [self.agent(leg=number, **proof) for number in range(1, 20)]
        self.assertEqual({leg.id for leg in legs}, {first.id})
        reply = first.bind()
        joined = legs[3].bind(id=reply["Id"], token=reply["Extra"]["Token"], opts=reply["Opts"])
        self.assertEqual(joined["Id"], reply["Id"])
        again = self.agent(leg=7, **proof)
        self.assertTrue(legs[6].ended(3))
        self.assertTrue(all(leg.lives() for leg in (*legs[:6], *legs[7:], again)))
        first.close()
        self._asked(legs[3], reply["Opts"]["Hostname"], reply["Id"])

    def test_log(self) -> None:
        """What an agent calls itself and its wishes writes nothing into the log but words."""
        word = "\x1b[31m\r\nfalse line\u2028\u202e"
        agent = self.agent(ClientType=word, Version=word, UserAgent=word, OS=word, Metadata=word)
        agent.bind(id="mine", opts={"Hostname": word})
        agent.bind(id="mine", opts={"URL": f"https://{word}"})
        agent.bind(id="mine", opts={"TrafficPolicy": word})
        agent.bind(Metadata=word, Name=word)
        agent.ask(LABEL, {"Labels": {word: word}})
        agent.ask(LABEL, {"Labels": {"a": word}, "ForwardsTo": word, "Metadata": word})
        agent.raw(goaway(1, word.encode()))
        self.assertTrue(agent.ended(3))
        self.assertNotIn("\nfalse line", self.edge.log())


Behaviour = Callable[[RudeAgent, int, Seen], object]


class VisitorTests(RudeCase):
    """What visitors see of an agent that plays with their streams."""

    def served(self, behave: Behaviour, count: int = 6, seconds: float = 4) -> tuple[RudeAgent, Counter[str]]:
        """
        Some visitors at once come to an agent that does something to each of their streams.

        :return: the agent, and how often each status, with ngrok's number, was seen; ``-`` for none.
        """
        agent = self.agent()
        host = agent.bind()["Opts"]["Hostname"]
        context = tls_context(self.edge)
        visitors = [open_tls(self.edge, host, context=context) for _ in range(count)]
        for visitor in visitors:
            visitor.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        done: set[int] = set()
        seen: Counter[str] = Counter()
        end = time.monotonic() + seconds
        while visitors and time.monotonic() < end:
            agent.turn(0.001)
            for id in tuple(agent.opened):
                if id not in done and len(agent.seen[id].data) > 12:
                    done.add(id)
                    behave(agent, id, agent.seen[id])
            visitors = [visitor for visitor in visitors if not self._heard(visitor, seen)]
        seen["-"] += len(visitors)
        for visitor in visitors:
            visitor.close()
        return agent, +seen

    @staticmethod
    def _heard(visitor: socket.socket, seen: Counter[str]) -> bool:
        visitor.settimeout(0.001)
        try:
            head = visitor.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            head = b""
        status = re.match(rb"HTTP/1.1 (\d+)", head)
        code = re.search(rb"(?i)ngrok-error-code: ERR_NGROK_(\d+)", head)
        seen[" ".join(found[1].decode() for found in (status, code) if found) or "-"] += 1
        visitor.close()
        return True

    def test_answers(self) -> None:
        """Visitors get the service's answer, or the edge's own; the agent's connection lasts as long as its frames are right."""
        unfinished = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin"
        behaviours: list[tuple[Behaviour, str]] = [
            (lambda agent, id, seen: agent.frame(id, ANSWERED), "200"),
            (lambda agent, id, seen: agent.frame(id, ANSWERED * 3), "200"),
            (lambda agent, id, seen: [agent.frame(id, bytes([byte])) for byte in ANSWERED], "200"),
            (lambda agent, id, seen: (agent.raw(data(id) * 500), agent.frame(id, ANSWERED)), "200"),
            (lambda agent, id, seen: agent.fin(id), "502 3209"),
            (lambda agent, id, seen: agent.drop(id, 0xFFFFFFFF), "502 3209"),
            (lambda agent, id, seen: (agent.fin(id), agent.frame(id, ANSWERED)), "502 3209"),
            (lambda agent, id, seen: agent.grow(id, 0), "502 3209"),
            (lambda agent, id, seen: [agent.grow(id, 0x7FFFFFFF) for _ in range(2)], "502 3209"),
            (lambda agent, id, seen: (agent.frame(id, os.urandom(300)), agent.fin(id)), "502 3004"),
            (lambda agent, id, seen: agent.frame(id, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), "502 3004"),
            (lambda agent, id, seen: agent.frame(id, b"HTTP/1.1 100 Continue\r\n\r\n" * 3000), "502 3004"),
            (lambda agent, id, seen: (agent.frame(id, unfinished), agent.drop(id)), "200"),
            (lambda agent, id, seen: [agent.frame(id, unfinished + bytes(200_000)) for _ in range(3)], "200"),
        ]
        for number, (behave, expected) in enumerate(behaviours):
            agent, seen = self.served(behave)
            self.assertEqual(seen, {expected: 6}, f"behaviour {number}")
            self.assertTrue(agent.lives(), f"behaviour {number}")

    def test_silence(self) -> None:
        """Visitors of an agent that never answers wait, and their leaving ends their streams."""
        agent, seen = self.served(lambda agent, id, seen: None, seconds=0.5)
        self.assertEqual(seen, {"-": 6})
        agent.until(lambda: all(agent.seen[id].fin for id in agent.opened), "ends of all streams")
        self.assertTrue(agent.lives())

    def test_crowd(self) -> None:
        """Six hundred visitors at once are all served, although an agent takes fewer streams at a time."""
        agent, seen = self.served(lambda agent, id, seen: (agent.frame(id, ANSWERED), agent.fin(id)), 600, 40)
        self.assertEqual(seen, {"200": 600})
        self.assertTrue(agent.lives())

    def test_small_windows(self) -> None:
        """An agent that opens its window byte by byte gets bytes, and holds up its own visitor alone."""
        agent = self.agent()
        agent.generous = False
        host = agent.bind()["Opts"]["Hostname"]
        with open_tls(self.edge, host) as visitor:
            visitor.sendall(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n\r\n".encode())
            sending = threading.Thread(target=self._push, args=(visitor,), daemon=True)
            sending.start()
            agent.until(lambda: agent.opened and len(agent.seen[agent.opened[0]].data) >= WINDOW, "full window")
            end = time.monotonic() + FLOOD
            while time.monotonic() < end:
                agent.raw(wndinc(agent.opened[0], 1) * 1000)
                agent.turn(0)
            self.assertGreater(len(agent.seen[agent.opened[0]].data), WINDOW + 1000)
            # The other thread has to stop first: it would go on writing to whatever gets the number of a closed descriptor.
            visitor.shutdown(socket.SHUT_RDWR)
            sending.join(10)
        agent.generous = True
        agent.grow(agent.opened[0], WINDOW)
        agent.until(lambda: agent.seen[agent.opened[0]].fin, "end of the stream")

    @staticmethod
    def _push(visitor: socket.socket) -> None:
        try:
            for _ in range(900):
                visitor.sendall(bytes(10_000))
        except OSError:
            pass

    def test_unread_answers(self) -> None:
        """Answers that visitors do not read wait in the agent, beyond what the windows of their streams hold."""
        before = self.edge.resident_megabytes()
        agent = self.agent()
        host = agent.bind()["Opts"]["Hostname"]
        visitors = [open_tls(self.edge, host) for _ in range(40)]
        for visitor in visitors:
            visitor.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        agent.until(
            lambda: sum(map(answers, (agent.seen[id] for id in agent.opened))) or len(agent.opened) == 40, "visitors"
        )
        agent.turn(0.3)
        sent: Counter[int] = Counter()
        for _ in range(30):
            for id in agent.opened:
                room = WINDOW + agent.seen[id].grown - sent[id]
                body = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" if not sent[id] else b""
                body += bytes(max(0, room - len(body)))
                agent.frame(id, body[:room])
                sent[id] += len(body[:room])
            agent.turn(0.01)
        self.assertLess(sum(sent.values()), 40 * 12 * MEBIBYTE)
        self.assertLess(self.edge.resident_megabytes() - before, 60)
        for visitor in visitors:
            visitor.close()
        self.assertTrue(agent.lives())
