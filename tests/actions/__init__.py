"""
Tests of `ngrok_twisted.actions`.
"""
