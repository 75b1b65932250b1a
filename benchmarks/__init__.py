"""Benchmarks against peers and lower bounds, with numpy as the app has it: it reads these settings when imported."""

import os
from pathlib import Path

from devhost.environment import local_settings

_OF_NUMPY = ("OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES")

_settings = local_settings(Path(__file__).parent.parent)
for _name in _OF_NUMPY:
    os.environ.setdefault(_name, _settings[_name])
