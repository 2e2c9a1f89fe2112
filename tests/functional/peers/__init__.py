"""
Counterparts that run as processes of their own, in the tools' environment: they import nothing of ours.
"""
