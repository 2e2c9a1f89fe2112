"""
A certificate for the peers that terminate TLS.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.workshop import run

HOST = "bench.localhost"
"""The name that visitors of a peer ask for."""
OPENSSL = {"openssl": "apt-get install openssl"}
"""What an arm that calls `make_certificate` needs."""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """
    A self-signed ECDSA P-256 certificate for `HOST`: the kind that an ACME client of today gets.

    :return: the files of certificate and key.
    :raises Unusable: openssl does not do it.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
        *("-out", str(certificate), "-keyout", str(key)),
    )
    return certificate, key
