"""Tests of the way to targets."""
