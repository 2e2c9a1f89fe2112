"""
Tests for `ngrok_twisted.policy.ciphers`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.ciphers import standard_name


class StandardNameTests(SynchronousTestCase):
    """OpenSSL's names and IANA's."""

    def test_table(self) -> None:
        """As ``openssl ciphers -stdname`` has them."""
        for name, expected in {
            "TLS_AES_128_GCM_SHA256": "TLS_AES_128_GCM_SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "ECDHE-RSA-AES128-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
            "ECDHE-RSA-AES128-SHA": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            "ECDHE-RSA-CHACHA20-POLY1305": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "DHE-RSA-AES256-CCM8": "TLS_DHE_RSA_WITH_AES_256_CCM_8",
            "ECDHE-ECDSA-AES128-CCM": "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
            "ECDHE-RSA-CAMELLIA256-SHA384": "TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384",
            "AES128-GCM-SHA256": "TLS_RSA_WITH_AES_128_GCM_SHA256",
            "AES256-SHA": "TLS_RSA_WITH_AES_256_CBC_SHA",
            "ECDHE-RSA-DES-CBC3-SHA": "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
            "ADH-AES128-SHA": "ADH-AES128-SHA",
            "": "",
        }.items():
            self.assertEqual(standard_name(name), expected)
