"""Fair timing of several ways to do one thing: they take turns, and each is reported by its median."""

import statistics
import time
from collections.abc import Callable, Mapping

type Work = Callable[[], object]


def interleaved(
    contestants: Mapping[str, Work],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
    *,
    each_after_itself: bool = False,
) -> dict[str, float]:
    """Run all ``contestants`` in turn, once to warm up and then ``rounds`` times; return the median seconds of each.

    Other load on the machine then affects all of them alike. ``each_after_itself`` runs each twice in a row and takes
    the time of the second: without it, the time depends on what the one before left in the caches, and on the memory
    that it gave back.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for run in range(rounds + 1):
        for name, work in contestants.items():
            if each_after_itself:
                work()
            start = clock()
            work()
            if run:
                seconds[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}
