"""Groups of results, and their table and JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a figure, its ratio to a reference, and its target."""

    name: str
    value: float
    ratio: float | None = None
    goal: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one benchmark; ``ratio_to`` names the reference of the ratios."""

    title: str
    unit: str
    ratio_to: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the plain form that is written to the results."""
        return asdict(self)

    def table(self) -> Table:
        """Return the table that is printed."""
        table = Table(title=self.title, caption="\n".join(self.notes), caption_justify="left")
        table.add_column("")
        table.add_column(self.unit, justify="right")
        table.add_column(f"ratio to {self.ratio_to}" if self.ratio_to else "", justify="right")
        table.add_column("goal", justify="right")
        table.add_column("")
        for row in self.rows:
            ratio = "" if row.ratio is None else _figure(row.ratio)
            table.add_row(row.name, _figure(row.value), ratio, row.goal, row.note)
        return table


_THREE_DIGITS = 100


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= _THREE_DIGITS else f"{value:.3g}"
