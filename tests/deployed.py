"""The files of the app that are deployed, the tracked ones that ``.funcignore`` leaves, and copies of them."""

import shutil
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parent.parent
# Of a step, 45 seconds together, and of a request to a provider, 15 to 19 seconds.
_PAUSES = (
    (
        "functions/orchestration.py",
        "RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=3)",
        "RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=0.1)",
    ),
    (
        "market_data/http_source.py",
        "tenacity.wait_exponential_jitter(initial=1, max=30)",
        "tenacity.wait_exponential_jitter(initial=0.1, max=30, jitter=0.1)",
    ),
)


def deployed_files() -> set[str]:
    """Return the paths, relative to the repository."""
    return set(_git("ls-files")) - set(_git("ls-files", "--cached", "--ignored", "--exclude-from=.funcignore"))


def copy_of_app(folder: Path) -> Path:
    """Copy what is deployed to a new folder, and return the folder."""
    for file in deployed_files():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_ROOT / file, folder / file)
    return folder


def hasty_app(folder: Path) -> Path:
    """Copy the app with short pauses before what failed is tried again: as often, for tests of what comes of it."""
    app = copy_of_app(folder)
    for file, pauses, short in _PAUSES:
        text = (app / file).read_text()
        assert text.count(pauses) == 1, f"{file} says it otherwise"
        (app / file).write_text(text.replace(pauses, short))
    return app


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.splitlines()
