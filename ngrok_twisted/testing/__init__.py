"""
Doubles and contracts for people who write kinds.
"""
