"""
Who may do what: credentials, the cred portal that checks them, and the principals it hands out.
"""
