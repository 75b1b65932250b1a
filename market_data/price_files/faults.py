"""Why a price file is refused."""


class PriceFileFault(Exception):
    """A price file breaks ``rule``; in its ``line``, counted from 1, or as a whole."""

    def __init__(self, rule: str, line: int | None = None) -> None:
        super().__init__(rule if line is None else f"line {line}: {rule}")
        self.rule = rule
        self.line = line
