"""
What must hold for Kubernetes operators.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.kubernetes_operator import Binding, KubernetesOperator

BAD_DATA, BAD_SELECTOR = 19002, 19003

FEATURES = ("bindings", "ingress", "gateway")

#: The one selector that this version knows: all endpoints.
ALL = "true"

#: Characters of each thing that an operator says of itself.
TEXT_MAX = 255


@implementer(IRecordRules)
class KubernetesOperatorRules:
    """Features are known, and a binding goes with its feature."""

    name = KubernetesOperator.family

    def problems(self, record: KubernetesOperator, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        for number, feature in enumerate(record.enabled_features):
            if feature not in FEATURES:
                message = f"{feature[:60]!r} is not a feature; there are {', '.join(FEATURES)}"
                yield Problem(f"enabled_features[{number}]", message, code=BAD_DATA)
        for name in ("name", "namespace", "version", "cluster_name"):
            if len(getattr(record.deployment, name)) > TEXT_MAX:
                yield Problem(f"deployment.{name}", f"is longer than {TEXT_MAX} characters", code=BAD_DATA)
        if len(record.region) > TEXT_MAX:
            yield Problem("region", f"is longer than {TEXT_MAX} characters", code=BAD_DATA)
        if record.binding is not None:
            yield from _binding(record, record.binding)


def _binding(record: KubernetesOperator, binding: Binding) -> Iterator[Problem]:
    if "bindings" not in record.enabled_features:
        yield Problem("binding", "needs the feature bindings in enabled_features", code=BAD_DATA)
    if len(binding.ingress_endpoint) > TEXT_MAX:
        yield Problem("binding.ingress_endpoint", f"is longer than {TEXT_MAX} characters", code=BAD_DATA)
    for number, selector in enumerate(binding.endpoint_selectors):
        if selector != ALL:
            message = f"only {ALL!r} is built into this version, which selects every endpoint bound to kubernetes"
            yield Problem(f"binding.endpoint_selectors[{number}]", message, code=BAD_SELECTOR)


rules = KubernetesOperatorRules()
