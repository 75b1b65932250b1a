"""The number of examples: few in ``make test``, always the same; FUZZ_EXAMPLES in ``make fuzz``."""

import os

from hypothesis import HealthCheck, settings

_WANTED = os.environ.get("FUZZ_EXAMPLES")


def examples(few: int) -> settings:
    """Return the settings of a test with ``few`` examples, or with more if FUZZ_EXAMPLES is set."""
    return settings(
        max_examples=int(_WANTED or few),
        derandomize=_WANTED is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
