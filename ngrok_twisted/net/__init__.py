"""
The byte transports that everything else stands on: TCP that writes at once, a reactor without per-event overhead, TLS over
a memory BIO, the ClientHello parser, and idle timeouts that cost one attribute store.

All of it stays ordinary Twisted: the same protocols run, slower, on any reactor and any transport.
"""
