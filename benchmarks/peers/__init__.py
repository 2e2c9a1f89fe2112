"""Peers that have no program of their own: what others build on, made to run by a few lines."""
