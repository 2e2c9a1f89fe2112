"""
What an operator can see: the access log and the events.
"""
