"""
What the ``ssh`` session says: help, JSON, and each refusal with its code.
"""

from __future__ import annotations

import json

from tests.functional.case import EdgeTestCase
from tests.functional.clients import SSH
from tests.functional.edge import make_key


class ConsoleTests(EdgeTestCase):
    """Answers that need no endpoint, and the ones that come with one."""

    def assert_refused(self, agent: SSH, code: int) -> str:
        """
        The client ended with an error that names this code.

        :return: what it printed.
        """
        self.assertNotEqual(agent.exit_code(), 0, agent.said())
        said = agent.out + agent.err
        self.assertIn(f"ERR_NGROK_{code}", said)
        return said

    def test_banner(self) -> None:
        """The block with the URL has the product, the account and a Forwarding line."""
        agent = self.ssh(f"443:localhost:{self.web().port}", command="http")
        agent.url()
        self.assertRegex(agent.out, r"ngrok_twisted \(via SSH\) \(Ctrl\+C to quit\)")
        self.assertRegex(agent.out, r"(?m)^Account +\S")
        self.assertRegex(agent.out, r"(?m)^Forwarding +https://")

    def test_help(self) -> None:
        """``--help`` prints the flags of its command, makes no endpoint, and exits with 0."""
        for command, flag in (
            ("http --help", "--schemes"),
            ("tcp --help", "--remote-addr"),
            ("tls --help", "--domain"),
        ):
            agent = self.ssh("443:localhost:1", command=command)
            self.assertEqual(agent.exit_code(), 0, agent.said())
            self.assertIn(flag, agent.out)
            self.assertNotIn("Forwarding", agent.out)

    def test_help_without_forward(self) -> None:
        """Help needs no ``-R``."""
        agent = self.ssh(command="http --help")
        self.assertEqual(agent.exit_code(), 0, agent.said())

    def test_unknown_command(self) -> None:
        """An unknown command is refused."""
        self.assert_refused(self.ssh("443:localhost:1", command="frobnicate"), 1108)

    def test_unknown_flag(self) -> None:
        """An unknown flag is refused by its name."""
        self.assertIn("frobnicate", self.assert_refused(self.ssh("443:localhost:1", command="http --frobnicate"), 1110))

    def test_flag_that_cannot_work(self) -> None:
        """A flag that needs the user's own machine is refused, not ignored."""
        self.assert_refused(self.ssh("443:localhost:1", command="http --authtoken secret"), 1109)
        self.assert_refused(self.ssh("443:localhost:1", command="tls --crt a.pem --key b.pem"), 1109)

    def test_protection_is_never_dropped(self) -> None:
        """A flag that asks for protection either protects or is refused: nothing is ever published without it."""
        service = self.web()
        for flag in (
            "--basic-auth user:password123",
            "--cidr-allow 192.0.2.0/24",
            "--oauth google",
            "--verify-webhook github",
        ):
            name = self.new_name()
            agent = self.ssh(f"{name}:443:localhost:{service.port}", command=f"http {flag}")
            self.eventually(lambda: agent.process.poll() is not None or "Forwarding" in agent.out, "decision")
            self.assertNotEqual(self.get(f"https://{name}/").status, 200, flag)
            if agent.process.poll() is not None:
                self.assertIn("ERR_NGROK_", agent.out + agent.err)

    def test_unbalanced_quote(self) -> None:
        """A command that cannot be read is refused."""
        self.assert_refused(self.ssh("443:localhost:1", command="http --description 'open"), 1110)

    def test_wrong_port(self) -> None:
        """``http`` on a port that is none of its own is refused."""
        self.assert_refused(self.ssh("2222:localhost:1", command="http"), 1113)

    def test_forward_twice(self) -> None:
        """The same forward twice on one connection: the second is refused, the first works."""
        service = self.web()
        agent = self.ssh(f"443:localhost:{service.port}", f"443:localhost:{service.port}", command="http")
        self.assertEqual(self.get(agent.url()).status, 200)

    def test_json(self) -> None:
        """``--output json`` prints one object a line."""
        agent = self.ssh(f"443:localhost:{self.web().port}", command="http --output json")
        url = agent.url()
        events = [json.loads(line) for line in agent.out.splitlines() if line.strip()]
        forward = next(event for event in events if event["event"] == "forward")
        self.assertEqual(forward["url"], url)
        self.assertEqual(forward["proto"], "https")
        self.assertIn("session", [event["event"] for event in events])

    def test_json_error(self) -> None:
        """A refusal under ``--output json`` is an object too."""
        agent = self.ssh("2222:localhost:1", command="http --output json")
        self.assertNotEqual(agent.exit_code(), 0)
        lines = [line for line in (agent.out + agent.err).splitlines() if line.startswith("{")]
        errors = [event for event in map(json.loads, lines) if event["event"] == "error"]
        self.assertEqual([str(event["code"]).replace("ERR_NGROK_", "") for event in errors], ["1113"], agent.said())

    def test_quiet(self) -> None:
        """``--quiet`` prints the URL and nothing else."""
        agent = self.ssh(f"443:localhost:{self.web().port}", command="http --quiet")
        url = agent.url()
        self.assertEqual(agent.out.split(), [url])

    def test_texts(self) -> None:
        """Name, description and metadata with spaces are taken, even when the local shell has eaten the quotes."""
        agent = self.ssh(
            f"443:localhost:{self.web().port}",
            command="http --name web --description two words --metadata '{\"a\": 1}'",
        )
        self.assertEqual(self.get(agent.url()).status, 200)

    def test_texts_too_long(self) -> None:
        """Metadata over 4096 bytes is refused."""
        self.assert_refused(self.ssh("443:localhost:1", command="http --metadata " + "m" * 5000), 100)

    def test_label(self) -> None:
        """``tunnel --label`` comes online without a URL, or is refused with a code: nothing in between."""
        agent = self.ssh(f"0:localhost:{self.web().port}", command="tunnel --label app=web")
        self.eventually(lambda: agent.process.poll() is not None or "app=web" in agent.out, "decision")
        if agent.process.poll() is not None:
            self.assertIn("ERR_NGROK_", agent.out + agent.err)
        self.assertNotIn("https://", agent.out)

    def test_unknown_key(self) -> None:
        """A key that no account has is refused before any session, with the text that says what to do."""
        stranger = make_key(self.edge.directory / self.new_name())
        agent = self.ssh("443:localhost:1", command="http", key=stranger)
        self.assertEqual(agent.exit_code(), 255)
        self.assertIn("ERR_NGROK_1102", agent.err)
        self.assertIn("SHA256:", agent.err)

    def test_other_key_kinds(self) -> None:
        """RSA and ECDSA keys may connect where they are known; here they are not, and are judged without a fault."""
        for kind in ("rsa", "ecdsa"):
            stranger = make_key(self.edge.directory / self.new_name(), kind)
            agent = self.ssh("443:localhost:1", command="http", key=stranger)
            self.assertEqual(agent.exit_code(), 255)
            self.assertIn("ERR_NGROK_1102", agent.err)

    def test_several_refusals_leave_nothing(self) -> None:
        """A refused name is free for the next one who asks properly."""
        name = self.new_name()
        self.assert_refused(self.ssh(f"{name}:443:localhost:1", command="http --frobnicate"), 1110)
        self.assertEqual(self.get(self.publish(self.web(), name)).status, 200)

    def test_output_closed(self) -> None:
        """A session whose input ends at once stays up."""
        agent = self.ssh(f"443:localhost:{self.web().port}", command="http")
        url = agent.url()
        self.eventually(lambda: self.get(url).status == 200, "answer")
        self.assertIsNone(agent.process.poll())

    def test_no_forward(self) -> None:
        """A shell without ``-R`` explains itself and ends."""
        agent = self.ssh()
        self.assertEqual(agent.exit_code(), 0, agent.said())
        self.assertIn("-R", agent.out)

    def test_sftp(self) -> None:
        """Subsystems and other channels are refused quietly."""
        agent = self.ssh(options=["-s"], command="sftp")
        self.assertNotEqual(agent.exit_code(), 0)
        agent = self.ssh(options=["-N", "-L", "0:localhost:1", "-o", "ExitOnForwardFailure=no", "-W", "localhost:22"])
        self.assertNotEqual(agent.exit_code(), 0)
