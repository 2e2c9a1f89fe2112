"""
Tests of `ngrok_twisted.policy`.
"""
