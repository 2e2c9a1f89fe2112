"""
What must hold for SSH host certificates.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from ngrok_twisted.records.ssh_host_certificate import SSHHostCertificate

#: ngrok's code: there is no such authority.
NO_AUTHORITY = 1949


@implementer(IRecordRules)
class SSHHostCertificateRules:
    """The authority that signed it is one of the account's."""

    name = SSHHostCertificate.family

    def problems(self, record: SSHHostCertificate, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        authority = around.records.get(SSHCertificateAuthority, record.ssh_certificate_authority_id)
        if authority is None or authority.account_id != record.account_id:
            message = f"there is no SSH certificate authority {record.ssh_certificate_authority_id}"
            yield Problem("ssh_certificate_authority_id", message, code=NO_AUTHORITY)


rules = SSHHostCertificateRules()
