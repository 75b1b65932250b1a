"""The pages of the documentation with worked examples, read by the tests that recompute them."""

import re
from itertools import takewhile
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BAR = re.compile(r"(?<!\\)\|")


class Page:
    """A page of ``docs/`` as it is written."""

    def __init__(self, name: str) -> None:
        self.text = (DOCS / name).read_text()
        self._lines = self.text.splitlines()

    def table(self, *header: str) -> list[list[str]]:
        """Return the cells of each row of the table whose header starts like this."""
        start = next(i for i, line in enumerate(self._lines) if line.startswith(f"| {' | '.join(header)} |"))
        rows = takewhile(lambda line: line.startswith("|"), self._lines[start + 2 :])
        return [[cell.strip() for cell in _BAR.split(row)[1:-1]] for row in rows]

    def results(self, by_hand: str) -> dict[str, float]:
        """Return the results of a table of figures by their names."""
        return {name.replace("`", ""): float(result) for name, _, result in self.table("figure", by_hand)}

    def section(self, title: str) -> str:
        """Return the text under a heading."""
        return self.text.split(f"\n## {title}\n")[1].split("\n## ")[0]

    def explains(self, name: str) -> bool:
        """Return whether a name is on the page, alone or as a member of something."""
        return f"`{name}`" in self.text or f".{name}`" in self.text
