"""What the arms do, one file a suite; see `benchmarks.suite`."""
