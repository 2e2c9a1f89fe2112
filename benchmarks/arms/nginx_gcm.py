"""
nginx in front of an sshd whose operator allows AES-GCM only: the comparison at an equal cipher.
"""

from __future__ import annotations

from benchmarks.arms.nginx import NginxArm


class NginxGCMArm(NginxArm):
    """nginx, one worker; behind it ``sshd`` with ``Ciphers aes128-gcm@openssh.com``."""

    label = "nginx+sshd-gcm"
    role = "nginx (1 worker) in front of sshd -R, AES-GCM only (equal cipher)"
    carries = frozenset({"https"})
    ciphers = "aes128-gcm@openssh.com"
