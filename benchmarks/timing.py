"""Timing several ways to do one thing fairly: they take turns, and each is told by its median."""

import statistics
import time
from collections.abc import Callable, Mapping

type Work = Callable[[], object]


def interleaved(
    contestants: Mapping[str, Work], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Run all ``contestants`` in turn, once to warm up and then ``rounds`` times; gives the median seconds of each.

    Whatever else the machine does meanwhile then hits all of them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for run in range(rounds + 1):
        for name, work in contestants.items():
            start = clock()
            work()
            if run:
                seconds[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}
