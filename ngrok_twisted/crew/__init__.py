"""
More than one process: one main process, which accepts and decides, and workers beside it, which serve.
"""
