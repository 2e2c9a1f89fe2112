"""
What must hold for SSH user certificates.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.rules._ssh_certificates import authority_problems
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_user_certificate import SSHUserCertificate

#: ngrok's code: there is no such authority.
NO_AUTHORITY = 1951


@implementer(IRecordRules)
class SSHUserCertificateRules:
    """The authority that signed it is one of the account's."""

    name = SSHUserCertificate.family

    def problems(self, record: SSHUserCertificate, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        return authority_problems(record, around, NO_AUTHORITY)


rules = SSHUserCertificateRules()
