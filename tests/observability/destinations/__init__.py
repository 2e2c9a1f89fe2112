"""Tests of `ngrok_twisted.observability.destinations`."""
