"""
Kubernetes operators: clusters that registered themselves, and the authority that signs the certificates of their
forwarders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ngrok_twisted.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """
    Where an operator runs, in its own words.

    :ivar name: the Helm release.
    :ivar namespace: the namespace in the cluster.
    :ivar version: the operator's version.
    :ivar cluster_name: a label for the cluster.
    """

    name: str = ""
    namespace: str = ""
    version: str = ""
    cluster_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """
    What an operator needs to bring endpoints into its cluster.

    :ivar endpoint_selectors: which endpoints bound to kubernetes it wants.
    :ivar csr: the certificate request, PEM.
    :ivar certificate_pem: the certificate that was signed for it; empty without a request.
    :ivar not_before: seconds since the epoch from which the certificate counts.
    :ivar not_after: seconds since the epoch until which it does.
    :ivar ingress_endpoint: ``host[:port]`` that its forwarders are to dial.
    """

    endpoint_selectors: tuple[str, ...] = ()
    csr: str = ""
    certificate_pem: str = ""
    not_before: float = 0.0
    not_after: float = 0.0
    ingress_endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesOperator(Record):
    """
    :ivar updated_at: seconds since the epoch of the last change.
    :ivar owner_id: the user or service user who registered it; may be empty.
    :ivar enabled_features: of ``bindings``, ``ingress`` and ``gateway``.
    :ivar region: where it wants to connect.
    :ivar deployment: where it runs.
    :ivar binding: ``None`` without the feature ``bindings``.
    """

    family: ClassVar[str] = "kubernetes_operators"
    prefix: ClassVar[str] = "k8sop"

    updated_at: float = 0.0
    owner_id: str = ""
    enabled_features: tuple[str, ...] = ()
    region: str = "global"
    deployment: Deployment = Deployment()
    binding: Binding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAuthority(Record):
    """
    The server's own authority for the certificates of operators. It belongs to no account, and there is one.

    :ivar certificate_pem: its certificate.
    :ivar private_key_pem: its key; stores seal it.
    """

    family: ClassVar[str] = "operator_authorities"
    prefix: ClassVar[str] = "k8sca"

    certificate_pem: str
    private_key_pem: str = field(repr=False)
