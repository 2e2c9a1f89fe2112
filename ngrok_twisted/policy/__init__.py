"""
Traffic Policy: a document that says what happens to the traffic of an endpoint, in rules of actions.
"""
