"""The files of the app that are deployed: the tracked ones that ``.funcignore`` leaves."""

import shutil
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parent.parent


def deployed_files() -> set[str]:
    """Return the paths, relative to the repository."""
    return set(_git("ls-files")) - set(_git("ls-files", "--cached", "--ignored", "--exclude-from=.funcignore"))


def copy_of_app(folder: Path) -> Path:
    """Copy what is deployed to a new folder, and return the folder."""
    for file in deployed_files():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_ROOT / file, folder / file)
    return folder


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.splitlines()
