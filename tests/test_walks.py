"""Through how many files a trigger and a user's data pass, and what makes a file count."""

import importlib
import re
from pathlib import Path

import pytest

from benchmarks import walks
from tests.test_function_app import run_code

POINTS = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Point:
    x: int
    names = [name for name in "xy"]
"""
FIGURES = """
corners = lambda: 3

def numbers():
    yield 1
    yield 2
"""


_FILE = re.compile(r"[\w/]+\.py")
_PICTURES = ("One accepted trigger", "One user's data")


def test_a_trigger_and_a_users_data_pass_through_no_more_files_than_their_limits_and_the_pictures_show_these() -> None:
    # In a process of its own: the app reads its settings when it is imported.
    done = run_code("from benchmarks.walks import main; main()")
    assert done.returncode == 0, done.stdout + done.stderr
    traced = [set(_FILE.findall(walk)) for walk in done.stdout.split("one user's data:")]
    page = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text()
    drawn = [set(_FILE.findall(page.partition(f"\n## {title}\n")[2].split("```")[1])) for title in _PICTURES]
    assert drawn == traced


def test_a_file_counts_for_its_functions_and_not_for_its_import_or_generated_methods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    for name, text in {"walked_points": POINTS, "walked_figures": FIGURES, "tests/walked_shapes": FIGURES}.items():
        (tmp_path / f"{name}.py").write_text(text)
    for folder in (tmp_path, tmp_path / "tests"):
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(walks, "ROOT", tmp_path)
    with walks._traced() as files:  # noqa: SLF001 - its rules are what is tested
        points, figures, shapes = map(importlib.import_module, ("walked_points", "walked_figures", "walked_shapes"))
        assert points.Point(1) == points.Point(1)
        assert shapes.corners() == 3
        assert files == []
        assert figures.corners() == 3
        assert files == ["walked_figures.py"]
    begun = figures.numbers()
    next(begun)
    with walks._traced() as files:  # noqa: SLF001 - likewise
        next(begun)
    assert files == ["walked_figures.py"]
