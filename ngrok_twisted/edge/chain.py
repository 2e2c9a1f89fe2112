"""
Modules around what they protect, in the order of their phases, whatever order the configuration lists them in.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ngrok_twisted.interfaces import IConnectionModule, IHTTPModule, ITLSModule
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.edge import Module
from ngrok_twisted.tls.options import TLSOptions


class Chain:
    """
    The modules of one route or edge that are switched on, outermost first.

    :ivar connection_modules: those that look at connections, as pairs of kind's name and config.
    """

    def __init__(
        self,
        modules: Mapping[str, Module],
        kinds: Mapping[str, Any],
        context: ModuleContext,
        also: Iterable[tuple[int, Any]] = (),
    ) -> None:
        """
        :param modules: by the names of their kinds.
        :param kinds: the module kinds there are, by name.
        :param context: given to each of them.
        :param also: what else stands in their midst, ready made: pairs of a phase and a module.
        :raises KeyError: a name that is not among the kinds; `schema.parse` has refused it before.
        :raises LookupError: a reference of a module leads nowhere.
        """
        chosen = [(kinds[name], module.config) for name, module in modules.items() if module.enabled]
        chosen.sort(key=lambda item: (item[0].phase, item[0].name))
        made = [(kind.phase, kind(config, context)) for kind, config in chosen]
        self.connection_modules = tuple(
            (kind.name, config)
            for (kind, config), (_, module) in zip(chosen, made)
            if IConnectionModule.providedBy(module)
        )
        self._modules = [module for _, module in sorted((*made, *also), key=lambda item: item[0])]

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
