"""
OpenSSH's own server whose operator allows AES-GCM only: the comparison at an equal cipher.
"""

from __future__ import annotations

from benchmarks.arms.sshd import SSHDArm


class SSHDGCMArm(SSHDArm):
    """``sshd`` with ``Ciphers aes128-gcm@openssh.com``."""

    label = "sshd-gcm"
    role = "OpenSSH sshd, AES-GCM only (equal cipher)"
    carries = frozenset({"tcp"})
    ciphers = "aes128-gcm@openssh.com"
