"""
What a visitor's certificate says of the visitor, in the form in which services behind the edge are told.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID

#: Certificates whose identity is remembered: a visitor shows the same one for each request of a connection. About 1 KiB each.
REMEMBERED = 1024

SUBJECT = b"ngrok-mtls-subject-cn"
DNS_NAMES = b"ngrok-mtls-subject-alt-name-dns"
EMAILS = b"ngrok-mtls-email-addresses"
SERIAL = b"ngrok-mtls-serial-number"

#: Every field that there may be; what a visitor sends under these names is not to be believed.
FIELDS = frozenset({SUBJECT, DNS_NAMES, EMAILS, SERIAL})


@lru_cache(maxsize=REMEMBERED)
def identity_fields(der: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """
    :param der: a certificate that was verified.
    :return: header fields: the common name of the subject, its DNS names and e-mail addresses with commas between them, and
        the serial number in lower-case hexadecimal digits. What the certificate does not say has no field.
    """
    return tuple((name, value) for name, value in _fields(der) if value)


def _fields(der: bytes) -> Iterator[tuple[bytes, bytes]]:
    try:
        certificate = x509.load_der_x509_certificate(der)
        yield SERIAL, b"%x" % certificate.serial_number
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        yield SUBJECT, _text([name.value for name in names[:1]])
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        yield DNS_NAMES, _text(others.get_values_for_type(x509.DNSName))
        yield EMAILS, _text(others.get_values_for_type(x509.RFC822Name))
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return  # OpenSSL has accepted it; what cannot be read is not told


def _text(values: list[Any]) -> bytes:
    """Values as one that a header field can hold (RFC 9110 section 5.5)."""
    joined = ",".join(value if isinstance(value, str) else "" for value in values)
    return "".join(letter if letter.isprintable() else "?" for letter in joined).strip().encode("utf-8", "replace")
