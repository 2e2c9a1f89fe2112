"""
Tests of `ngrok_twisted.control.weights`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim
from ngrok_twisted.control.weights import Weights, weight
from ngrok_twisted.errors import Refused
from ngrok_twisted.modules.basic_auth import BasicAuthConfig
from ngrok_twisted.modules.ip_restriction import IPRestrictionConfig
from ngrok_twisted.records.edge import module
from ngrok_twisted.schema import parse

CLAIM = Claim(proto="https")


class WeightTests(SynchronousTestCase):
    """What a claim takes."""

    def test_nothing(self) -> None:
        """A claim without a policy and modules takes nothing: how many there may be is bounded elsewhere."""
        self.assertEqual(weight(replace(CLAIM, metadata="m" * 4096)), 0)

    def test_policy(self) -> None:
        """A policy takes its length."""
        self.assertEqual(weight(replace(CLAIM, traffic_policy="x" * 1000)), 1000)

    def test_modules(self) -> None:
        """Modules take what stands in their settings, however deep."""
        networks = tuple(f"10.0.{number}.0/24" for number in range(100))
        restriction = module(IPRestrictionConfig(allow_cidrs=networks))
        pairs = {"credentials": [{"username": "u" * 100, "password": "p" * 100}]}
        auth = module(parse(BasicAuthConfig, pairs))
        both = weight(replace(CLAIM, modules={"ip_restriction": restriction, "basic_auth": auth}))
        least = sum(map(len, networks)) + 200
        self.assertTrue(least <= both <= least + 200, both)


class WeightsTests(SynchronousTestCase):
    """What accounts take."""

    def test_trial(self) -> None:
        """What goes well stays counted, what fails does not."""
        weights = Weights(100)
        claim = replace(CLAIM, traffic_policy="x" * 60)
        with self.assertRaises(ZeroDivisionError), weights.trial("ac_1", claim):
            raise ZeroDivisionError()
        with weights.trial("ac_1", claim):
            pass
        with self.assertRaises(Refused) as caught, weights.trial("ac_1", claim):
            self.fail("it is too much")
        self.assertEqual(caught.exception.code, 350)
        with weights.trial("ac_2", claim):
            pass
        weights.give_back("ac_1", claim)
        weights.give_back("ac_2", claim)
        self.assertEqual(weights._taken, {})
