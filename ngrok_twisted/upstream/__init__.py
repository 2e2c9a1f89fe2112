"""
Asking whoever should answer: HTTP exchanges and raw streams towards a target.
"""
