"""
Tests of `ngrok_twisted.crew`.
"""
