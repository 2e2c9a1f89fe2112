"""
Tests for `ngrok_twisted.modules.compression`. What is compressed, and how, is in ``tests/test_compressing.py``.
"""

from __future__ import annotations

import gzip

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.modules.compression import Compression, CompressionConfig
from ngrok_twisted.modules.ip_restriction import IPPoliciesConfig, IPRestrictionModule
from ngrok_twisted.modules.traffic_policy import TrafficPolicyConfig, TrafficPolicyModule
from ngrok_twisted.records.edge import module_type
from tests.modules.routed import Routed

TEXT = b"hello, hello, hello " * 40


class CompressionTests(SynchronousTestCase):
    """The module on a route."""

    def test_kind(self) -> None:
        """It stands on routes, and there is nothing to be set."""
        verifyObject(IModuleKind, Compression)
        self.assertEqual(schema.dump(schema.parse(module_type(Compression.Config), {})), {"enabled": True})

    def test_compresses(self) -> None:
        """Responses of the service are compressed for who wants it, and only for them."""
        made = Routed({"compression": Compression}, {"compression": CompressionConfig()})
        self.assertIn(b"Accept-Encoding: gzip", made.ask(b"Accept-Encoding: gzip"))
        head, body = made.say(b"Content-Type: text/plain", body=TEXT)
        self.assertIn(b"Content-Encoding: gzip", head)
        self.assertEqual(gzip.decompress(body), TEXT)
        made.ask()
        head, body = made.say(b"Content-Type: text/plain", body=TEXT)
        self.assertEqual(body, TEXT)

    def test_outside_policies(self) -> None:
        """What rules of a policy make of a response is compressed after them."""
        policy = '{"on_http_response": [{"actions": [{"type": "custom-response", "config": {"body": "%s"}}]}]}'
        kinds = {"compression": Compression, "traffic_policy": TrafficPolicyModule}
        configs = {
            "compression": CompressionConfig(),
            "traffic_policy": TrafficPolicyConfig(value=policy % ("instead " * 50)),
        }
        made = Routed(kinds, configs)
        made.ask(b"Accept-Encoding: gzip")
        self.assertEqual(gzip.decompress(made.say(b"Content-Type: text/plain", body=TEXT)[1]), b"instead " * 50)

    def test_inside_admission(self) -> None:
        """Answers to those who were not let in are as they were: nothing secret is mixed with what strangers send."""
        kinds = {"compression": Compression, "ip_restriction": IPRestrictionModule}
        configs = {"compression": CompressionConfig(), "ip_restriction": IPPoliciesConfig(ip_policy_ids=("ipp_none",))}
        answer = Routed(kinds, configs).send(b"Accept-Encoding: gzip", b"Accept: text/html")
        self.assertIn(b"403", answer)
        self.assertIn(b"<!DOCTYPE html>", answer)
