"""Tests of `ngrok_twisted.control.rules`."""
