"""
The edge beside its peers, in one command: ``python -m benchmarks``.

What is compared are CPU seconds per unit of work, of the whole process tree under test, in interleaved rounds on one
machine; ``docs/benchmarks.md`` says how to read the figures. In the order of a run:

- `benchmarks.options`: the command line.
- `benchmarks.arms`: who competes, one file each. An arm starts servers and says where its public side is.
- `benchmarks.suites`: what they do, one file each. A suite sends work through an arm and measures it.
- `benchmarks.load`: the two ends of that work, programs of their own: visitors and services.
- `benchmarks.runner`: warm-up, then round after round through every arm.
- `benchmarks.figures`, `benchmarks.table`, `benchmarks.chart`: medians and ratios, as text, JSON and SVG.
"""
