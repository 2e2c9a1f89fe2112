"""Who competes, one file an arm; see `benchmarks.arm`."""
