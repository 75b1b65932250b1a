"""How much is tried: little in ``make test``, always the same; as much as FUZZ_EXAMPLES says in ``make fuzz``."""

import os

from hypothesis import HealthCheck, settings

_WANTED = os.environ.get("FUZZ_EXAMPLES")


def examples(few: int) -> settings:
    """Give the settings of a test that tries ``few`` examples, unless FUZZ_EXAMPLES asks for more."""
    return settings(
        max_examples=int(_WANTED or few),
        derandomize=_WANTED is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
