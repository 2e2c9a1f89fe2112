"""
A connection arrives and finds its edge: the fronts, the router and the HTTP server side.
"""
