"""
The control plane: configuration and records, reservations, and the snapshots that the edge serves.
"""
