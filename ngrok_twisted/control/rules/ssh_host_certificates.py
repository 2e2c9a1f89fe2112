"""
What must hold for SSH host certificates.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.rules._ssh_certificates import authority_problems
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_host_certificate import SSHHostCertificate

#: ngrok's code: there is no such authority.
NO_AUTHORITY = 1949


@implementer(IRecordRules)
class SSHHostCertificateRules:
    """The authority that signed it is one of the account's."""

    name = SSHHostCertificate.family

    def problems(self, record: SSHHostCertificate, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        return authority_problems(record, around, NO_AUTHORITY)


rules = SSHHostCertificateRules()
