"""Tests of `ngrok_twisted.iam`."""
