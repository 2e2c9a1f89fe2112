"""
The interfaces between the delivery of events and the kinds of targets.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IEventDestinationKind(Interface):
    """A kind of event target: one file in ``observability/destinations/``."""

    name = Attribute("``str``: its field in `ngrok_twisted.records.event_destination.EventTarget`.")
    Config = Attribute("The frozen dataclass of that field.")

    def __call__(config, context):
        """
        :param config: an instance of ``Config`` that keeps the rules of event destinations.
        :param context: a `ngrok_twisted.observability.destination.DestinationContext`.
        :return: an `IEventDestination`.
        :raises ngrok_twisted.observability.destination.DestinationRefused: this server cannot send there.
        """


class IEventDestination(Interface):
    """One target, which takes batches of events, one at a time."""

    limits = Attribute("`ngrok_twisted.observability.event_queue.BatchLimits`: what one batch may hold.")

    def send(events):
        """
        :param events: a tuple of `ngrok_twisted.observability.events.Event`, within the limits, the oldest first.
        :return: an awaitable of a tuple of those that were not taken and should be sent again, in order. It raises
            `ngrok_twisted.observability.destination.DestinationBusy` when none was taken and they should be sent again,
            `ngrok_twisted.observability.destination.DestinationRefused` when that is of no use.
        """
