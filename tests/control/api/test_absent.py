"""
Tests for `ngrok_twisted.control.api.absent`.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.control.api.absent import AbsentThings
from ngrok_twisted.interfaces import IAPIResource


@dataclass(frozen=True, slots=True, kw_only=True)
class UnicornView:
    """
    :ivar id: the public id.
    """

    id: str


class Unicorns(AbsentThings):
    """There are none."""

    name = "unicorns"
    path = "/unicorns"
    list_key = "unicorns"
    noun = "unicorn"
    why = "There are none."
    View = UnicornView


class AbsentThingsTests(SynchronousTestCase):
    """The methods that such a resource has; the resources' own tests call them."""

    def test_methods(self) -> None:
        """It is listed, read and deleted from, each method says why that leads nowhere, and nothing is made."""
        verifyObject(IAPIResource, Unicorns())
        methods = {method.action: method for method in Unicorns().methods()}
        self.assertEqual(
            {action: (method.verb, method.path, method.status) for action, method in methods.items()},
            {
                "list": ("GET", "/unicorns", 200),
                "get": ("GET", "/unicorns/{id}", 200),
                "delete": ("DELETE", "/unicorns/{id}", 204),
            },
        )
        self.assertEqual((methods["list"].list_key, methods["list"].query), ("unicorns", ("before_id", "limit")))
        self.assertEqual([method.answer for method in methods.values()], [UnicornView, UnicornView, None])
        self.assertEqual({method.summary.partition(". ")[2] for method in methods.values()}, {"There are none."})
