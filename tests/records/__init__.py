"""
Tests of the records.
"""
