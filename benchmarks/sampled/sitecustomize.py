"""
Python imports a module of this name when it starts, if there is one on its path: this one has the process sampled.
"""

from benchmarks import sampler

sampler.start()
