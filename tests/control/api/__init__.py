"""Tests of `ngrok_twisted.control.api`."""
