"""
``/kubernetes_operators``: clusters whose operator registered itself, and the endpoints that are bound to them.

An operator's ingress and gateway features need nothing more than this registration. For its bindings the API keeps the
registration, signs certificates and lists endpoints, but no listener for forwarders exists yet, so that no traffic reaches
an endpoint from within a cluster; ``ingress_endpoint`` is only what the operator itself sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterator

from ngrok_twisted import schema
from ngrok_twisted.control.api import paging
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection, Made
from ngrok_twisted.control.api.endpoint_view import EndpointView, EndpointViews, pools
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.shapes import Ref, Seen, Texts, TextsUpdate, timestamp
from ngrok_twisted.control.operator_authority import authority_of, make_authority, sign
from ngrok_twisted.control.rules.kubernetes_operators import ALL
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.kubernetes_operator import Binding, Deployment, KubernetesOperator

BAD_DATA = 19002

#: What a binding is before its operator says more.
_SELECTS_ALL = Binding(endpoint_selectors=(ALL,))

#: Of a certificate that does not exist: Go's clients know this moment as the zero of time.
_NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingCreate:
    """
    :ivar endpoint_selectors: which endpoints bound to kubernetes this cluster gets; only ``true``, for all, is known.
    :ivar csr: a certificate request for an ECDSA key on P-256, PEM. While it is unchanged, so is its certificate.
    :ivar ingress_endpoint: what the forwarders are to dial. It is only kept: nothing listens for forwarders yet.
    """

    endpoint_selectors: tuple[str, ...] = ()
    csr: str = ""
    ingress_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingUpdate:
    """
    :ivar endpoint_selectors: which endpoints bound to kubernetes this cluster gets.
    :ivar csr: a certificate request, PEM; the same one as before changes nothing.
    :ivar ingress_endpoint: what the forwarders are to dial.
    """

    endpoint_selectors: tuple[str, ...] | None = None
    csr: str | None = None
    ingress_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentUpdate:
    """
    :ivar name: the Helm release.
    :ivar version: the operator's version.
    """

    name: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesOperatorCreate(Texts):
    """
    :ivar enabled_features: of ``bindings``, ``ingress`` and ``gateway``.
    :ivar region: where it wants to connect.
    :ivar deployment: where it runs.
    :ivar binding: goes with the feature ``bindings``.
    """

    enabled_features: tuple[str, ...] = ()
    region: str = "global"
    deployment: Deployment = Deployment()
    binding: BindingCreate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesOperatorUpdate(TextsUpdate):
    """
    :ivar enabled_features: of ``bindings``, ``ingress`` and ``gateway``; without the first the binding goes, too.
    :ivar region: where it wants to connect.
    :ivar binding: what is given in it is changed.
    :ivar deployment: what is given in it is changed.
    """

    enabled_features: tuple[str, ...] | None = None
    region: str | None = None
    binding: BindingUpdate | None = None
    deployment: DeploymentUpdate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertView:
    """
    :ivar cert: the certificate, PEM; empty without a request.
    :ivar not_before: RFC 3339, UTC.
    :ivar not_after: RFC 3339, UTC.
    """

    cert: str
    not_before: str
    not_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingView:
    """
    :ivar endpoint_selectors: which endpoints bound to kubernetes this cluster gets.
    :ivar cert: the certificate of its forwarders.
    :ivar ingress_endpoint: what the forwarders are to dial; empty unless the operator sent it.
    """

    endpoint_selectors: tuple[str, ...]
    cert: CertView
    ingress_endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesOperatorView(Seen):
    """
    :ivar updated_at: RFC 3339, UTC.
    :ivar principal: who registered it.
    :ivar enabled_features: of ``bindings``, ``ingress`` and ``gateway``.
    :ivar region: where it wants to connect.
    :ivar deployment: where it runs.
    :ivar binding: null without the feature ``bindings``.
    """

    updated_at: str
    principal: Ref
    enabled_features: tuple[str, ...]
    region: str
    deployment: Deployment
    binding: BindingView | None


class KubernetesOperators(Collection[KubernetesOperator]):
    """The collection of operators."""

    name = "kubernetes_operators"
    path = "/kubernetes_operators"
    list_key = "operators"
    noun = "Kubernetes operator"
    record = KubernetesOperator
    View = KubernetesOperatorView
    Create = KubernetesOperatorCreate
    Update = KubernetesOperatorUpdate
    codes = {name: BAD_DATA for name in ("enabled_features", "region", "deployment", "binding")}

    def __init__(self) -> None:
        self._views = EndpointViews()

    def make(self, making: Making, body: Any) -> Made[KubernetesOperator]:
        """Collection."""
        record = KubernetesOperator(
            **self.common(making, body),
            updated_at=making.created_at,
            owner_id=making.owner_id,
            enabled_features=_features(body.enabled_features),
            region=body.region,
            deployment=body.deployment,
            binding=_changed(_SELECTS_ALL, body.binding) if body.binding not in (None, BindingCreate()) else None,
        )
        return _certified(record, making.records, making.created_at, making.random_bytes)

    def changed(self, call: Call, record: KubernetesOperator, body: Any, records: Snapshot) -> Made[KubernetesOperator]:
        """Collection."""
        deployment, binding = record.deployment, record.binding
        values = {name: getattr(body, name) for name in ("description", "metadata", "region")}
        features = record.enabled_features if body.enabled_features is None else _features(body.enabled_features)
        if body.deployment is not None:
            deployment = replace(deployment, **_given(body.deployment))
        if body.binding is not None:
            binding = _changed(binding or _SELECTS_ALL, body.binding)
        elif "bindings" not in features:
            binding = None
        changed = replace(
            record,
            **{name: value for name, value in values.items() if value is not None},
            updated_at=call.parts.now(),
            enabled_features=features,
            deployment=deployment,
            binding=binding,
        )
        return _certified(changed, records, call.parts.now(), call.parts.random_bytes)

    def view(self, call: Call, record: KubernetesOperator) -> KubernetesOperatorView:
        """Collection."""
        return KubernetesOperatorView(
            **self.seen(call, record),
            updated_at=timestamp(record.updated_at),
            principal=Ref(id=record.owner_id),
            enabled_features=record.enabled_features,
            region=record.region,
            deployment=record.deployment,
            binding=None if record.binding is None else _binding_view(record.binding),
        )

    def more_methods(self) -> Iterator[Method]:
        """Collection."""
        yield Method(
            verb="GET",
            path=self.path + "/{id}/bound_endpoints",
            action="get_bound_endpoints",
            perform=self._bound,
            summary="List the endpoints that are bound to kubernetes and that the operator selects.",
            answer=EndpointView,
            list_key="endpoints",
            query=("before_id", "limit"),
        )

    async def _bound(self, call: Call) -> Answer:
        operator = self.find(call, call.records, call.params["id"])
        wanted = operator.binding is not None and ALL in operator.binding.endpoint_selectors
        found = list(_bound_endpoints(call)) if wanted else []
        together = pools(found)
        path = f"{self.path}/{operator.id}/bound_endpoints"
        shown = lambda record: _spelled_out(schema.dump(self._views.show(call, record, together)))
        return Answer(200, await paging.page(call, path, "endpoints", found, shown))


def _bound_endpoints(call: Call) -> Iterator[Endpoint]:
    for endpoint in (*call.records.all(Endpoint), *call.parts.live().values()):
        if endpoint.account_id == call.account_id and endpoint.binding == "kubernetes":
            yield endpoint


def _spelled_out(shown: dict[str, Any]) -> dict[str, Any]:
    """Operators make services of ``scheme://service.namespace:port``, and read the port from it."""
    return {**shown, "public_url": f"{shown['proto']}://{shown['hostport']}"}


def _features(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(feature.lower() for feature in given))


def _given(body: Any) -> dict[str, Any]:
    values = {name: getattr(body, name) for name in type(body).__dataclass_fields__}
    return {name: value for name, value in values.items() if value is not None}


def _changed(binding: Binding, body: Any) -> Binding:
    """A binding with what is given; an empty list of selectors means all, and an empty request the one before."""
    values = {name: value for name, value in _given(body).items() if value or name == "ingress_endpoint"}
    return replace(binding, **values)


def _certified(
    record: KubernetesOperator, records: Snapshot, now: float, random_bytes: Any
) -> Made[KubernetesOperator]:
    """
    The operator with a certificate for its request, and the authority that signed it if it is new.

    :raises Refused: 19001, the request cannot be used.
    """
    binding = record.binding
    before = records.get(KubernetesOperator, record.id)
    known = "" if before is None or before.binding is None else before.binding.csr
    if binding is None or not binding.csr or binding.csr == known:
        return Made(record)
    authority = authority_of(records)
    also: tuple[Put, ...] = ()
    if authority is None:
        authority = make_authority(now, random_bytes)
        also = (Put(authority),)
    signed = sign(authority, binding.csr, record.id, now, random_bytes)
    binding = replace(
        binding,
        certificate_pem=signed.certificate_pem,
        not_before=signed.not_before,
        not_after=signed.not_after,
    )
    return Made(replace(record, binding=binding), also)


def _binding_view(binding: Binding) -> BindingView:
    has_cert = bool(binding.certificate_pem)
    return BindingView(
        endpoint_selectors=binding.endpoint_selectors,
        cert=CertView(
            cert=binding.certificate_pem,
            not_before=timestamp(binding.not_before) if has_cert else _NEVER,
            not_after=timestamp(binding.not_after) if has_cert else _NEVER,
        ),
        ingress_endpoint=binding.ingress_endpoint,
    )


kubernetes_operators = KubernetesOperators()
