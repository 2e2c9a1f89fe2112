"""
TLS as the edge serves it: certificates by name, contexts made from them, and the issuers that make certificates.
"""
