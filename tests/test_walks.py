"""The number of files that a trigger and a user's data pass through, and which files count."""

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
_DIAGRAMS = ("One accepted trigger", "One user's data", "One user's ledger")


def test_a_trigger_and_a_users_data_pass_through_no_more_files_than_their_limits_which_the_diagrams_show() -> None:
    # In a separate process, because the app reads its settings during import.
    done = run_code("from benchmarks.walks import main; main()")
    assert done.returncode == 0, done.stdout + done.stderr
    traced = [set(_FILE.findall(walk)) for walk in re.split("one user's (?:data|ledger):", done.stdout)]
    page = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text()
    drawn = [set(_FILE.findall(page.partition(f"\n## {title}\n")[2].split("```")[1])) for title in _DIAGRAMS]
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
    with walks._traced() as files:  # noqa: SLF001 - its rules are under test
        points, figures, shapes = map(importlib.import_module, ("walked_points", "walked_figures", "walked_shapes"))
        assert points.Point(1) == points.Point(1)
        assert shapes.corners() == 3
        assert files == []
        assert figures.corners() == 3
        assert files == ["walked_figures.py"]
    started = figures.numbers()
    next(started)
    with walks._traced() as files:  # noqa: SLF001 - likewise
        next(started)
    assert files == ["walked_figures.py"]
