"""The counts of a soak, and their table in the documentation."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.devhost.harness import ROOT
from tests.faults.chaos import Story
from tests.faults.truth import Verdict

_PAGE = ROOT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- soak: begin -->\n", "<!-- soak: end -->\n"


@dataclass
class Tally:
    """Counts over all runs of a soak."""

    seed: int
    minutes: float = 0.0
    users: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    rounds: list[int] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong) and set(self.rounds) == {1}

    def add(self, story: Story, state: str, users: int, verdict: Verdict) -> None:
        """Count a run, and print a line about it."""
        self.users += users
        self.faults.update(story.injected)
        self.states[state] += 1
        self.lost += len(verdict.lost)
        self.doubled += len(verdict.doubled)
        self.wrong += bool(verdict.wrong)
        faults = ", ".join(story.injected) or "nothing"
        print(f"{self.states.total():4} {story.run_id} {state}: {faults}", flush=True)
        if not verdict.is_clean:
            print(f"     {verdict}", flush=True)

    def table(self) -> str:
        """Return the result in the form of the documentation."""
        rows = [
            ("day", f"{datetime.now(UTC):%Y-%m-%d}"),
            ("minutes", f"{self.minutes:.0f}"),
            ("seed", f"{self.seed}"),
            ("runs", f"{self.states.total():,}"),
            ("users, in all runs together", f"{self.users:,}"),
            *((f"runs that ended {state}", f"{count:,}") for state, count in sorted(self.states.items())),
            ("faults", f"{self.faults.total():,}"),
            *((f"faults: {name}", f"{count:,}") for name, count in sorted(self.faults.items())),
            ("**users whose report was lost**", f"**{self.lost}**"),
            ("**users whose report was doubled**", f"**{self.doubled}**"),
            ("**runs with a wrong final state, count or figure**", f"**{self.wrong}**"),
            ("rounds of 50 triggers at once", f"{len(self.rounds)}"),
            ("**of these, rounds that did not start exactly one run**", f"**{sum(n != 1 for n in self.rounds)}**"),
        ]
        return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]) + "\n"


def write_into_the_documentation(tally: Tally, page: Path = _PAGE) -> None:
    """Replace the table in the documentation."""
    print(tally.table())
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}{tally.table()}{_END}{after}")
