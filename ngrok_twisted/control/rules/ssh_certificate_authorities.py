"""
What must hold for SSH certificate authorities.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority


@implementer(IRecordRules)
class SSHCertificateAuthorityRules:
    """A key is one authority's, so that a certificate tells by itself whose it is."""

    name = SSHCertificateAuthority.family

    def problems(self, record: SSHCertificateAuthority, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        if len(around.index(_by_key)[record.public_key]) > 1:
            yield Problem("private_key", "is the key of another authority too; give each its own")


def _by_key(around: Around) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for authority in around.records.all(SSHCertificateAuthority):
        found[authority.public_key].append(authority.id)
    return found


rules = SSHCertificateAuthorityRules()
