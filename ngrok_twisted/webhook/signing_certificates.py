"""
`SigningCertificates`: the public keys of Amazon SNS, fetched from Amazon when a message names one for the first time.

Whoever may send a request may name a URL: therefore only SNS's own hosts are asked, over https with a verified certificate,
without following redirects, a few at once, and each URL once in a while, whatever came of it. What vouches for a certificate
is the TLS connection to SNS's host, which is verified up to a public root; the file itself need not hold a chain to one.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ngrok_twisted.webhook.delivery import SHAPE, WRONG, NotGenuine
from ngrok_twisted.webhook.fetching import fetch

SECONDS = 1.0
MINUTES = 60 * SECONDS
HOURS = 60 * MINUTES

# How long a certificate is used without asking again; Amazon changes them once a year.
FRESH = 24 * HOURS

# How long nobody asks again after a failure.
FAILED = 1 * MINUTES

# Certificates, and failures, that are remembered: a region has one or two at a time.
REMEMBERED = 64

# Fetches under way; those who come meanwhile with yet another URL are refused.
FETCHES = 4

# Smaller keys sign nothing that could be relied on; Amazon's have 2048 bits.
KEY_BITS_MIN = 2048

_URL = re.compile(r"https://sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?/[A-Za-z0-9._/-]{1,200}\.pem")

# Whom such a certificate is for: every region has either the common name or one of its own.
_NAME = re.compile(r"(?i)sns(-signing)?([.-][a-z0-9-]{1,40})?\.amazonaws\.com(\.cn)?")


class SigningCertificates:
    """
    One table of certificates.
    """

    _log = Logger()

    def __init__(self, http: Any, clock: Any) -> None:
        """
        :param http: a treq-like client.
        :param clock: an `IReactorTime` whose ``seconds`` is the time since the epoch.
        """
        self._http = http
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, RSAPublicKey | None]] = OrderedDict()
        self._waiting: dict[str, list[Deferred[RSAPublicKey]]] = {}

    def key(self, url: str) -> Deferred[RSAPublicKey]:
        """
        :param url: as a message names it.
        :return: a Deferred that fires with the public key; it fails with `NotGenuine` where there is none. It always fires
            in bounded time.
        :raises NotGenuine: the URL is not Amazon's.
        """
        if _URL.fullmatch(url) is None:
            raise NotGenuine(SHAPE, "its certificate is not at Amazon SNS")
        until, key = self._known.get(url, (0.0, None))
        if self._clock.seconds() < until:
            return succeed(self._required(key))
        if url not in self._waiting:
            if len(self._waiting) >= FETCHES:
                raise NotGenuine(WRONG, "too many certificates are being fetched")
            self._waiting[url] = []
            self._begin(url)
            if url not in self._waiting:  # the answer was there at once
                return succeed(self._required(self._known[url][1]))
        waiting: Deferred[RSAPublicKey] = Deferred()
        self._waiting[url].append(waiting)
        return waiting

    def _required(self, key: RSAPublicKey | None) -> RSAPublicKey:
        if key is None:
            raise NotGenuine(WRONG, "its certificate could not be had from Amazon")
        return key

    # -- fetching

    def _begin(self, url: str) -> None:
        fetching = fetch(self._http, self._clock, url)
        fetching.addCallback(lambda data: read_key(data, self._clock.seconds()))
        fetching.addCallbacks(lambda key: self._end(url, FRESH, key), lambda reason: self._failed(url, reason))

    def _failed(self, url: str, reason: Failure) -> None:
        self._log.warn(
            "the certificate {url} could not be had: {reason}",
            url=url,
            reason=reason.getErrorMessage() or reason.type.__name__,
        )
        self._end(url, FAILED, None)

    def _end(self, url: str, seconds: float, key: RSAPublicKey | None) -> None:
        self._known.pop(url, None)
        while len(self._known) >= REMEMBERED:
            self._known.popitem(last=False)
        self._known[url] = (self._clock.seconds() + seconds, key)
        for waiting in self._waiting.pop(url):
            try:
                waiting.callback(self._required(key))
            except NotGenuine:
                waiting.errback()


def read_key(data: bytes, now: float) -> RSAPublicKey:
    """
    The public key of a signing certificate.

    :param data: PEM; the first certificate in it counts.
    :param now: seconds since the epoch.
    :raises ValueError: it is no certificate, not Amazon SNS's, not valid now, or its key is not fit to sign; the message says
        which.
    """
    try:
        certificate = x509.load_pem_x509_certificate(data)
        key = certificate.public_key()
        named = any(_NAME.fullmatch(name) for name in _names(certificate))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it is no certificate") from None
    if not named:
        raise ValueError("the certificate is not one of Amazon SNS")
    moment = datetime.fromtimestamp(now, timezone.utc)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise ValueError("the certificate is not valid now")
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise ValueError(f"the certificate's key is not RSA of {KEY_BITS_MIN} bits")
    return key


def _names(certificate: x509.Certificate) -> list[str]:
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    found = [str(attribute.value) for attribute in common]
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return found
    return found + names.get_values_for_type(x509.DNSName)
