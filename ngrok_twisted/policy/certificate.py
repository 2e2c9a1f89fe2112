"""
What a visitor's certificate says of itself, in the words of Traffic Policy's variables (specification, section 4.2).
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Any, Callable, Mapping

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

#: Certificates kept read: taking one apart costs 0.2 ms, keeping it some KiB; a visitor shows the same one in each request.
_KEPT = 256

_NAME_FIELDS = {
    "country": NameOID.COUNTRY_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizational_unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "postal_code": NameOID.POSTAL_CODE,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "street_address": NameOID.STREET_ADDRESS,
}

_SIGNERS = {
    "sha1WithRSAEncryption": "SHA1-RSA",
    "sha256WithRSAEncryption": "SHA256-RSA",
    "sha384WithRSAEncryption": "SHA384-RSA",
    "sha512WithRSAEncryption": "SHA512-RSA",
    "ecdsa-with-SHA1": "ECDSA-SHA1",
    "ecdsa-with-SHA256": "ECDSA-SHA256",
    "ecdsa-with-SHA384": "ECDSA-SHA384",
    "ecdsa-with-SHA512": "ECDSA-SHA512",
    "ed25519": "Ed25519",
}

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@lru_cache(maxsize=_KEPT)
def certificate_facts(der: bytes | None) -> Mapping[str, Any]:
    """
    :param der: the certificate, or ``None``.
    :return: by name: ``pem``, ``serial_number``, ``signature_algorithm``, ``issuer``, ``subject`` and ``san`` (texts), their
        fields such as ``subject.common_name``, ``validity.not_before``, ``validity.not_after`` and ``extensions``. What a
        broken certificate cannot tell is left out.
    """
    if not der:
        return _NOTHING
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError:
        return _NOTHING
    found: dict[str, Any] = {}
    for read in (_itself, _validity, _names, _alternatives, _extensions):
        _add(found, read, certificate)
    return MappingProxyType(found)


def _add(found: dict[str, Any], read: Callable[[Any], dict[str, Any]], certificate: Any) -> None:
    """Add what one part of a certificate says, unless it is broken."""
    try:
        found.update(read(certificate))
    except (ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        pass


def _itself(certificate: x509.Certificate) -> dict[str, Any]:
    name = certificate.signature_algorithm_oid._name
    return {
        "pem": certificate.public_bytes(Encoding.PEM).decode("ascii"),
        "serial_number": f"{certificate.serial_number:x}",
        "signature_algorithm": _SIGNERS.get(name, name),
    }


def _validity(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "validity.not_before": certificate.not_valid_before_utc,
        "validity.not_after": certificate.not_valid_after_utc,
    }


def _names(certificate: x509.Certificate) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for whose, name in (("subject", certificate.subject), ("issuer", certificate.issuer)):
        found[whose] = name.rfc4514_string()
        common = _values(name, NameOID.COMMON_NAME)
        found[f"{whose}.common_name"] = common[0] if common else ""
        for field, oid in _NAME_FIELDS.items():
            found[f"{whose}.{field}"] = _values(name, oid)
    return found


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]


def _alternatives(certificate: x509.Certificate) -> dict[str, Any]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = {
        "san.dns_names": ("DNS", names.get_values_for_type(x509.DNSName)),
        "san.email_addresses": ("email", names.get_values_for_type(x509.RFC822Name)),
        "san.ip_addresses": ("IP Address", list(map(str, names.get_values_for_type(x509.IPAddress)))),
        "san.uris": ("URI", names.get_values_for_type(x509.UniformResourceIdentifier)),
    }
    text = ", ".join(f"{label}:{value}" for label, values in found.values() for value in values)
    return {"san": text, **{name: values for name, (_, values) in found.items()}}


def _extensions(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "extensions": [
            {"id": each.oid.dotted_string, "critical": each.critical, "value": each.value.public_bytes()}
            for each in certificate.extensions
        ]
    }
