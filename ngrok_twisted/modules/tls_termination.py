"""
``tls_termination``: where TLS ends, and the oldest version that is spoken there.

On an HTTPS edge it always ends at the edge. On a TLS edge the bytes go to the backend as they came, unless the module says
``terminate_at: edge``; then the backend gets what is inside. TLS that ends in an agent is TLS that passes the edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from zope.interface import implementer, provider

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IModuleKind, ITLSModule
from ngrok_twisted.marks import READ_ONLY
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Problem
from ngrok_twisted.tls.contexts import check_loads
from ngrok_twisted.tls.options import KeyPair, TLSOptions
from ngrok_twisted.tls.pem import check_pair
from ngrok_twisted.wrapper import Phase

Version = Literal["1.0", "1.1", "1.2", "1.3"]

#: ngrok's numbers for a version that cannot be had, and for saying where TLS ends on an edge where there is no choice.
_BAD_VERSION, _NO_CHOICE = 219, 7109


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSTerminationConfig:
    """
    :ivar terminate_at: ``edge``, or ``upstream``: the bytes pass as they came.
    :ivar min_version: the oldest version of TLS that is spoken, 1.2 if not given; not to be given with ``upstream``.
    """

    terminate_at: Literal["edge", "upstream"] = "upstream"
    min_version: Version | None = None

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: the version is not ours to choose.
        """
        if self.terminate_at == "upstream" and self.min_version is not None:
            message = "is up to the upstream, where TLS ends; take it out, or say terminate_at: edge"
            raise InvalidConfig([Problem("min_version", message, code=_BAD_VERSION)])


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSTerminationAtEdgeConfig:
    """
    :ivar min_version: the oldest version of TLS that is spoken, 1.2 if not given.
    :ivar terminate_at: always ``edge``, and not to be given.
    """

    min_version: Version | None = None
    terminate_at: Annotated[Literal["edge"], READ_ONLY] = "edge"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsTLSTerminationConfig:
    """
    The same for the endpoints of agents, which may bring a certificate along.

    :ivar terminate_at: ``edge``, or ``upstream``: the bytes pass as they came.
    :ivar certificate_pem: what visitors are shown: the leaf first, then each issuer; empty for what the server has for
        the name.
    :ivar private_key_pem: the leaf's key, not encrypted.
    """

    terminate_at: Literal["edge", "upstream"] = "upstream"
    certificate_pem: str = field(default="", repr=False)
    private_key_pem: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: the certificate and its key cannot be used.
        """
        if not (self.certificate_pem or self.private_key_pem):
            return
        found = check_pair(self.certificate_pem, self.private_key_pem)
        found = found or check_loads(self.certificate_pem, self.private_key_pem)
        if found:
            raise InvalidConfig(Problem("certificate_pem", said, code=code) for code, said in found)

    @property
    def pair(self) -> KeyPair | None:
        """What visitors are shown, if it is the agent's."""
        if not self.certificate_pem:
            return None
        return KeyPair(certificate_pem=self.certificate_pem, private_key_pem=self.private_key_pem)


@provider(IModuleKind)
@implementer(ITLSModule)
class TLSTermination:
    """A handshake at the edge, with visitors who speak at least this version. Others get the alert ``protocol_version``."""

    name = "tls_termination"
    Config = AgentsTLSTerminationConfig
    configs = {"https": TLSTerminationAtEdgeConfig, "tls": TLSTerminationConfig}
    codes = {"terminate_at": _NO_CHOICE, "min_version": _BAD_VERSION}
    phase = Phase.ENVELOPE
    attaches = frozenset({"https", "tls"})

    def __init__(
        self,
        config: TLSTerminationConfig | TLSTerminationAtEdgeConfig | AgentsTLSTerminationConfig,
        context: ModuleContext,
    ) -> None:
        self._terminated = config.terminate_at == "edge"
        self._min_version, self._pair = None, None
        if isinstance(config, AgentsTLSTerminationConfig):
            self._pair = config.pair
        else:
            self._min_version = config.min_version

    def amend(self, options: TLSOptions) -> TLSOptions:
        """ITLSModule."""
        version = self._min_version or options.min_version
        return replace(options, min_version=version, terminated=self._terminated, pair=self._pair)
