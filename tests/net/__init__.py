"""Tests of the byte transports."""
