"""The messages between the Functions host and Microsoft's worker library (FunctionRpc).

Their compiled form comes with a wheel that has them among its own tests, in a package named ``tests``, like ours: they
are found by that wheel's list of files, and imported under another name.
"""

import sys
from importlib.metadata import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_DISTRIBUTION = "azure-functions-runtime-v1"
_PACKAGE = "tests/protos/__init__.py"
_NAME = "azure_functions_protos"


def load() -> Any:  # noqa: ANN401 - generated, without types
    """Return the messages as attributes of one object, the one that the worker library calls ``protos``."""
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    package = _found()
    spec = spec_from_file_location(_NAME, package, submodule_search_locations=[str(package.parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} is no Python package")
    sys.modules[_NAME] = module = module_from_spec(spec)  # before it runs: it imports its own parts by this name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[_NAME]
        raise
    return module


def _found() -> Path:
    for file in files(_DISTRIBUTION) or []:
        if file.as_posix() == _PACKAGE:
            return Path(str(file.locate()))
    raise ImportError(f"{_DISTRIBUTION} has no {_PACKAGE}")
