"""
The interfaces between Traffic Policy and its actions.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface


class IActionKind(Interface):
    """A Traffic Policy action: one file in ``actions/``."""

    name = Attribute("``str``: its ``type`` in a policy.")
    Config = Attribute("A frozen dataclass that `schema.parse` fills.")
    phases = Attribute("``Mapping[str, frozenset[str]]``: the phases it may stand in, each with its protocols there.")
    ending = Attribute("`ngrok_twisted.policy.phases.Ending`: the most that `ends` says of any config.")

    def ends(config):
        """:return: an `Ending`: whether a phase goes on behind an action of this ``Config``."""

    def problems(config, path, phase, proto):
        """
        :param config: an instance of ``Config``, right in itself.
        :param path: where it is written.
        :param proto: of the endpoint.
        :return: an iterable of `ngrok_twisted.records.base.Problem`: why it does not fit into this place.
        """

    def __call__(config, context):
        """
        :param config: an instance of ``Config``.
        :param context: a `ngrok_twisted.policy.context.ActionContext`: the phase, the account, the internal endpoints.
        :return: a provider of the face that the phase asks for: `IConnectionAction` in ``on_tcp_connect``,
            `IRequestAction` in ``on_http_request``, `IResponseAction` in ``on_http_response``.
        """


class IConnectionAction(Interface):
    """What an action does to connections."""

    def admit_connection(address):
        """
        :param address: of the visitor, with ``host`` and ``port``.
        :return: ``None`` to go on, or the `IProtocolFactory` that takes the connection instead; one that builds no
            protocol closes it.
        """


class IRequestAction(Interface):
    """What an action does to requests."""

    def admit(request):
        """See `ngrok_twisted.wrapper.Guard`."""


class IResponseAction(Interface):
    """What an action does to responses."""

    def make_filter(request):
        """See `ngrok_twisted.wrapper.Filtered`."""
