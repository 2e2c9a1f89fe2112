"""
What must hold for every SSH certificate, of a host or of a user.
"""

from __future__ import annotations

from typing import Any, Iterator

from ngrok_twisted.control.around import Around
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority


def authority_problems(record: Any, around: Around, code: int) -> Iterator[Problem]:
    """
    The authority that signed it is one of the account's.

    :param record: an `SSHHostCertificate` or an `SSHUserCertificate`.
    :param code: ngrok's number for an authority that is not there.
    """
    authority = around.records.get(SSHCertificateAuthority, record.ssh_certificate_authority_id)
    if authority is None or authority.account_id != record.account_id:
        message = f"there is no SSH certificate authority {record.ssh_certificate_authority_id}"
        yield Problem("ssh_certificate_authority_id", message, code=code)
