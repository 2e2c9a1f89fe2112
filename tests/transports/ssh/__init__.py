"""
Tests of the SSH transport.
"""
