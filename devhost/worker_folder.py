"""The modules of a worker process itself, separate from the app's as in Azure."""

import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
_MESSAGES = "azure-functions-runtime-v1"
# The content of the platform's own folder for Python: the worker library, and the dependencies of it and the messages.
_PARTS = (
    *("azure_functions_runtime", "azurefunctions", "google/protobuf", "google/_upb", "grpc", "typing_extensions.py"),
    *("azure/functions", "werkzeug", "markupsafe"),
    "tests/protos",
)
_RUN = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__')"


@contextmanager
def worker_folder() -> Iterator[Path]:
    """Yield a folder with only the worker's own modules; it exists while the body runs."""
    with tempfile.TemporaryDirectory(prefix="devhost-worker-") as name:
        folder = Path(name)
        for part in (*_PARTS, _metadata()):
            link = folder / part
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(SITE_PACKAGES / part)
        (folder / "devhost").symlink_to(Path(__file__).parent)
        yield folder


def command(folder: Path, descriptor: int) -> tuple[str, ...]:
    """Return the command of a worker process that finds only the standard library and ``folder``."""
    return (sys.executable, "-I", "-S", "-c", _RUN, str(folder), "devhost.worker", str(SITE_PACKAGES), str(descriptor))


def _metadata() -> str:
    return next(file.parts[0] for file in distribution(_MESSAGES).files or [] if file.name == "METADATA")
