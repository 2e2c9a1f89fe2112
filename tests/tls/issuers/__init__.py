"""Tests of `ngrok_twisted.tls.issuers`."""
