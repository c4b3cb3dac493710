"""Measuring two or more things side by side: rounds take turns, so that what else the machine does hits all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Samples = dict[str, list[float]]


def alternate(sides: Mapping[str, Callable[[], object]], rounds: int, each: int = 1, warm: int = 1) -> Samples:
    """Seconds that one run of each side takes, `rounds` times in turn; `each` runs make one sample."""
    samples: Samples = {name: [] for name in sides}
    for _ in range(warm):
        for run in sides.values():
            run()
    for _ in range(rounds):
        for name, run in sides.items():
            begun = time.perf_counter()
            for _ in range(each):
                run()
            samples[name].append((time.perf_counter() - begun) / each)
    return samples


def median(samples: Samples, name: str) -> float:
    """The median of one side, in seconds."""
    return statistics.median(samples[name])


def ratio(samples: Samples, name: str, floor: str) -> float:
    """How many times as long `name` takes as `floor`: the median over the rounds, each a pair of neighbours in time."""
    return statistics.median(ours / theirs for ours, theirs in zip(samples[name], samples[floor], strict=True))
