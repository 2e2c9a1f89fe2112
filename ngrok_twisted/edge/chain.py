"""
Modules around what they protect, in the order of their phases, whatever order the configuration lists them in.
"""

from __future__ import annotations

from typing import Any, Mapping

from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, ITLSModule
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.tls.options import TLSOptions


class Chain:
    """
    The modules of one route or edge, outermost first.

    :ivar connection_modules: those that look at connections, as pairs of kind's name and config.
    """

    def __init__(self, configs: Mapping[str, Any], kinds: Mapping[str, Any], context: ModuleContext) -> None:
        """
        :param configs: module kinds' names to their configs.
        :param kinds: the module kinds there are, by name.
        :param context: given to each of them.
        :raises KeyError: a name that is not among the kinds; `schema.parse` has refused it before.
        """
        chosen = sorted((kinds[name] for name in configs), key=lambda kind: (kind.phase, kind.name))
        self._modules = [kind(configs[kind.name], context) for kind in chosen]
        self.connection_modules = tuple(
            (kind.name, configs[kind.name])
            for kind, module in zip(chosen, self._modules)
            if IConnectionModule.providedBy(module)
        )

    def around_resource(self, inner: Any) -> Any:
        """Every request module around ``inner``."""
        for module in reversed(self._modules):
            if IHTTPModule.providedBy(module):
                inner = module.wrap_resource(inner)
        return inner

    def around_factory(self, inner: Any) -> Any:
        """Every connection module around ``inner``."""
        for module in reversed(self._modules):
            if IConnectionModule.providedBy(module):
                inner = module.wrap_factory(inner)
        return inner

    def amended(self, options: TLSOptions) -> TLSOptions:
        """The handshake as every TLS module wants it."""
        for module in self._modules:
            if ITLSModule.providedBy(module):
                options = module.amend(options)
        return options
