"""
Webhook verification on routes, through a real tunnel: deliveries that the vendors' own libraries, or OpenSSL, have signed and
curl has sent.

Set once by ``config.yaml`` and once by the API; by flags of ssh, in ``test_ssh_modules.py``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Mapping

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, full_name, open_tls
from tests.functional.management import MANAGED, Management
from tests.functional.tools import peer, program, tool
from tests.functional.web import pattern

HOST = full_name("hooks")
SECRET = "a-secret-of-webhooks"
STANDARD = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
BODY = '{"action": "opened", "name": "Zoë"}'

# SendGrid shows this key to its users; the private half signs here.
_DIRECTORY = tempfile.TemporaryDirectory(prefix="webhooks-")
_KEY = Path(_DIRECTORY.name) / "key.pem"


def openssl(*words: str, given: bytes = b"") -> bytes:
    """What OpenSSL prints."""
    return subprocess.run([program("openssl"), *words], input=given, capture_output=True, check=True, timeout=60).stdout


def sendgrid_key() -> str:
    """The public key, as SendGrid shows it."""
    if not _KEY.exists():
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(_KEY))
    return base64.b64encode(openssl("ec", "-in", str(_KEY), "-pubout", "-outform", "DER")).decode()


def digest(body: bytes, name: str = "sha256") -> bytes:
    """HMAC, as OpenSSL makes it."""
    return openssl("dgst", f"-{name}", "-hmac", SECRET, "-binary", given=body)


def route(provider: str, **settings: Any) -> dict[str, Any]:
    """A route of this provider's webhooks."""
    return {
        "match_type": "path_prefix",
        "match": f"/echo/{provider}",
        "backend": {"backend_id": "hooks"},
        "webhook_verification": {"provider": provider, **settings},
    }


class WebhooksTests(EdgeTestCase):
    """An edge with a route for each of ten providers and some more."""

    config: Any = {
        **MANAGED,
        "limits": {**MANAGED["limits"], "http_held_body_bytes": 3_000_000},
        "backends": {"tunnel_group": [{"name": "hooks", "labels": {"app": "hooks"}}]},
        "edges": {
            "https": [
                {
                    "name": "hooks",
                    "hostports": [f"{HOST}:443"],
                    "routes": [
                        *(
                            route(name, secret=SECRET)
                            for name in "github gitlab intercom shopify slack stripe twilio xero zoom".split()
                        ),
                        route("sendgrid", secret=sendgrid_key()),
                        route("sns"),
                        route("svix", secret=STANDARD),
                    ],
                }
            ]
        },
    }

    def setUp(self) -> None:
        """One service behind all of them."""
        super().setUp()
        self.service = self.web()
        agent = self.ssh(f"0:127.0.0.1:{self.service.port}", command="tunnel --label app=hooks")
        self.eventually(lambda: "app=hooks" in agent.out or agent.process.poll() is not None, "labelled tunnel")
        self.assertIsNone(agent.process.poll(), agent.said())

    def url(self, provider: str) -> str:
        """Where this provider delivers."""
        return f"https://{HOST}:{self.edge.https}/echo/{provider}?from={provider}"

    def deliver(self, provider: str, headers: Mapping[str, str], body: bytes = BODY.encode(), *words: str) -> Any:
        """
        Send a delivery with curl.

        :return: the status, ngrok's code, and the body of the answer.
        """
        fields = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            said = curl(
                self.edge,
                *("--data-binary", f"@{file.name}", "-w", "\n%{http_code} %header{ngrok-error-code}"),
                *fields,
                *words,
                self.url(provider),
            )
        answer, _, status = said.rpartition("\n")
        code, _, error = status.partition(" ")
        return int(code), error, answer

    def assert_passes(
        self, provider: str, headers: Mapping[str, str], body: bytes = BODY.encode(), *words: str
    ) -> None:
        """The service gets exactly this body, and the sender its answer."""
        status, _, answer = self.deliver(provider, headers, body, *words)
        self.assertEqual(status, 200, f"{provider}: {answer}")
        seen = json.loads(answer)
        self.assertEqual((seen["length"], seen["sha1"]), (len(body), hashlib.sha1(body).hexdigest()), provider)
        self.assertEqual(self.service.asked[-1].target, f"/echo/{provider}?from={provider}")

    def assert_refused(
        self, provider: str, headers: Mapping[str, str], body: bytes = BODY.encode(), *words: str
    ) -> None:
        """The service hears nothing of it."""
        before = len(self.service.asked)
        status, error, _ = self.deliver(provider, headers, body, *words)
        self.assertEqual((status, error), (403, "ERR_NGROK_3204"), provider)
        self.assertEqual(len(self.service.asked), before)

    def test_official_libraries(self) -> None:
        """What the libraries of Slack, Stripe, Svix and Twilio sign passes, and nothing that differs from it."""
        signer = subprocess.Popen(
            [tool("python"), peer("webhooks.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(signer.communicate)
        assert signer.stdin is not None and signer.stdout is not None
        form = "Body=Zo%C3%AB+and+friends&From=%2B14158675309&Empty="
        for provider, body, more in (
            ("slack", BODY, {}),
            ("stripe", BODY, {}),
            ("svix", BODY, {}),
            ("twilio", form, {"Content-Type": "application/x-www-form-urlencoded"}),
        ):
            secret = STANDARD if provider == "svix" else SECRET
            asked = {"provider": provider, "secret": secret, "url": self.url(provider), "body": body}
            for age in (0, 3600):
                signer.stdin.write(json.dumps({**asked, "time": int(time.time()) - age}) + "\n")
                signer.stdin.flush()
                line = signer.stdout.readline()
                self.assertTrue(line, "the signer has ended")
                headers = {**json.loads(line), **more}
                if age == 0:
                    self.assert_passes(provider, headers, body.encode())
                    self.assert_refused(provider, headers, body.encode().swapcase())
                elif provider != "twilio":  # who does not sign the time
                    self.assert_refused(provider, headers, body.encode())
            self.assert_refused(provider, more, body.encode())

    def test_openssl(self) -> None:
        """So does what OpenSSL signs for GitHub, Intercom, Shopify and Zoom; GitLab sends its token."""
        body, now = BODY.encode(), int(time.time())
        for provider, headers in (
            ("github", {"X-Hub-Signature-256": "sha256=" + digest(body).hex()}),
            ("github", {"X-Hub-Signature": "sha1=" + digest(body, "sha1").hex()}),
            ("intercom", {"X-Hub-Signature": "sha1=" + digest(body, "sha1").hex()}),
            ("shopify", {"X-Shopify-Hmac-Sha256": base64.b64encode(digest(body)).decode()}),
            (
                "zoom",
                {
                    "x-zm-signature": "v0=" + digest(f"v0:{now}:{BODY}".encode()).hex(),
                    "x-zm-request-timestamp": str(now),
                },
            ),
        ):
            self.assert_passes(provider, headers)
            self.assert_refused(provider, headers, body[:-1] + b"]")
        self.assert_passes("gitlab", {"X-Gitlab-Token": SECRET})
        self.assert_refused("gitlab", {"X-Gitlab-Token": SECRET[:-1]})

    def test_sendgrid(self) -> None:
        """SendGrid's signature is OpenSSL's over curves."""
        sendgrid_key()
        now = str(int(time.time()))
        signature = openssl("dgst", "-sha256", "-sign", str(_KEY), given=now.encode() + BODY.encode())
        headers = {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": now,
        }
        self.assert_passes("sendgrid", headers)
        self.assert_refused("sendgrid", headers, BODY.encode() + b" ")

    def test_xero(self) -> None:
        """Xero's validation: 200 and 401 without a body; events pass."""
        intent = b'{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
        before = len(self.service.asked)
        right = {"x-xero-signature": base64.b64encode(digest(intent)).decode()}
        self.assertEqual(self.deliver("xero", right, intent), (200, "", ""))
        self.assertEqual(self.deliver("xero", right, intent + b" "), (401, "", ""))
        self.assertEqual(len(self.service.asked), before)
        self.assert_passes("xero", {"x-xero-signature": base64.b64encode(digest(BODY.encode())).decode()})

    def test_zoom_validation(self) -> None:
        """Zoom's validation is answered by the edge."""
        now = int(time.time())
        body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'
        headers = {
            "x-zm-signature": "v0=" + digest(b"v0:%d:%s" % (now, body)).hex(),
            "x-zm-request-timestamp": str(now),
        }
        status, _, answer = self.deliver("zoom", headers, body)
        token = "qgg8vlvZRS6UYooatFL8Aw"
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(answer), {"plainToken": token, "encryptedToken": digest(token.encode()).hex()})

    def test_sns(self) -> None:
        """A message whose certificate cannot be had from Amazon is refused, in the time that SNS waits for an answer."""
        message = {
            "Type": "Notification",
            "MessageId": "1",
            "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
            "Message": "hello",
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "SignatureVersion": "2",
            "Signature": base64.b64encode(b"x" * 256).decode(),
        }
        for url in ("https://sns.us-west-2.amazonaws.com/no-such-certificate.pem", "https://example.com/x.pem"):
            body = json.dumps({**message, "SigningCertURL": url}).encode()
            self.assert_refused("sns", {"x-amz-sns-message-type": "Notification"}, body, "--max-time", "10")

    def test_long_bodies(self) -> None:
        """Long bodies arrive whole, with a length or in chunks, whether their sender waits for leave or not."""
        body = b"".join(pattern(2_500_000))
        headers = {"X-Hub-Signature-256": "sha256=" + digest(body).hex()}
        for more in ((), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue"), ("-H", "Expect:")):
            self.assert_passes("github", headers, body, *more)
        body = b"".join(pattern(3_000_001))
        for more in ((), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue")):
            self.assert_refused("github", {"X-Hub-Signature-256": "sha256=" + digest(body).hex()}, body, *more)

    def test_unsigned(self) -> None:
        """Whoever brings no signature is not asked for a body."""
        connection = open_tls(self.edge, HOST)
        self.addCleanup(connection.close)
        head = (
            f"POST /echo/github HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 403 "))

    def test_by_api(self) -> None:
        """It is put on a route that is served, read back without its secret, and taken away; each time it counts at once."""
        api = Management(self.edge)
        self.addCleanup(api.close)
        name = self.new_name()
        api.make("/reserved_domains", domain=name)
        group = api.make("/backends/tunnel_group", labels={"app": "hooks"})
        edge = api.make("/edges/https", hostports=[f"{name}:443"])
        path = f"/edges/https/{edge}/routes"
        path += "/" + api.make(path, match_type="path_prefix", match="/", backend={"backend_id": group})
        self.eventually(lambda: self.get(f"https://{name}/echo").status == 200, "served route")
        shown = api("PUT", f"{path}/webhook_verification", {"provider": "github", "secret": SECRET})
        self.assertEqual(shown, {"enabled": True, "provider": "GITHUB", "secret": ""})
        self.assertEqual(api("GET", f"{path}/webhook_verification"), shown)
        signed = {"X-Hub-Signature-256": "sha256=" + digest(BODY.encode()).hex()}
        for headers, expected in ((signed, 200), ({}, 403)):
            answer = self.get(f"https://{name}/echo", method="POST", body=BODY.encode(), headers=headers)
            self.assertEqual(answer.status, expected)
        for body, code in (
            ({"provider": "github"}, 7027),
            ({"provider": "nobody", "secret": "x"}, 7030),
            ({"secret": "x"}, 7029),
            ({"provider": "sns", "secret": "x"}, 7026),
            ({"provider": "sendgrid", "secret": "x"}, 7107),
            ({"provider": "github", "secret": "x" * 3000}, 7154),
        ):
            refusal = self.assertRaises(Exception, api, "PUT", f"{path}/webhook_verification", body)
            self.assertEqual(getattr(refusal, "code", ""), f"ERR_NGROK_{code}")
        api("DELETE", f"{path}/webhook_verification")
        self.assertEqual(self.get(f"https://{name}/echo", method="POST", body=b"x").status, 200)
        self.assertNotIn(SECRET, self.edge.log())
