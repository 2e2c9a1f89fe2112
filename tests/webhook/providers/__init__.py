"""
Tests for `ngrok_twisted.webhook.providers`.
"""
