"""An outcome for the tests of what is made of one."""

from __future__ import annotations

from benchmarks.figures import Cell, Outcome, Sample, Unit


def make_sample(cpu: float, p99: float | None = None) -> Sample:
    """A thousand requests in half a second."""
    return Sample(units=1000, seconds=0.5, spent=cpu, client_cpu=0.01, memory=2048, p50=p99, p99=p99)


def make_outcome(p99: float | None = 12.5) -> Outcome:
    """Two arms in one kind of work; a third was left out."""
    cell = Cell(
        name="small <answers>",
        samples={
            "edge": [make_sample(0.030, p99), make_sample(0.040, p99), make_sample(0.035, p99)],
            "peer": [make_sample(0.060, p99), make_sample(0.080, p99), make_sample(0.070, p99)],
        },
    )
    return Outcome(
        suite="https",
        title="Requests",
        unit=Unit(cost="µs/request", cost_scale=1e6, rate="req/s", rate_scale=1),
        roles={"edge": "the product", "peer": "another"},
        cells=[cell],
        left_out={"third": "third is not on PATH (apt-get install third)"},
    )
