"""The rules for all portfolios."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.models import Check, record


@record
class Limits:
    """The thresholds of a rule."""

    warning: float
    breach: float


@record
class Judged:
    """The values by rule, and what they stand for."""

    values: Mapping[str, float | None]
    reason: str | None
    complete: bool
    sized: bool
    diversified_funds: bool
    observations: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: ``warning`` and ``breach`` are the default thresholds.

    A breach below the warning means that low values are bad. ``undefined`` is the reason for a missing value of a
    portfolio that was analyzed in full.
    """

    name: str
    label: str
    warning: float
    breach: float
    undefined: str
    number_format: str = ".1%"
    low_is_bad: bool = field(init=False)
    """Whether a value at or below a threshold has crossed it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "low_is_bad", self.breach < self.warning)

    def limits(self, thresholds: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
        """Return the thresholds of warning and breach: the user's own if ``thresholds`` has any."""
        own = thresholds.get(self.name, {})
        return own.get("warning", self.warning), own.get("breach", self.breach)

    def crosses(self, value: float, threshold: float) -> bool:
        """Return whether ``value`` is at ``threshold``, apart from rounding, or beyond it."""
        beyond = value < threshold if self.low_is_bad else value > threshold
        return beyond or math.isclose(value, threshold, rel_tol=1e-12)


_NO_VALUE = "no holding has a market value"
_NO_VARIANCE = "its returns do not vary"
_OUT_OF_RANGE = "its returns are out of any measurable range"

LARGEST_POSITION = Rule("largest_position", "The largest position", 0.15, 0.25, _NO_VALUE)
RULES = (
    LARGEST_POSITION,
    Rule("effective_holdings", "The effective number of holdings", 8, 4, _NO_VALUE, ".1f"),
    Rule("risk_concentration", "The largest risk contribution", 0.30, 0.50, _NO_VARIANCE),
    Rule("gross_exposure", "The gross exposure", 1.3, 2.0, _NO_VALUE, ".2f"),
    Rule("volatility", "Annual volatility", 0.25, 0.40, _OUT_OF_RANGE),
    Rule(
        "drawdown",
        "The current drawdown of the backtest",
        -0.15,
        -0.30,
        "a day in its history lost more than everything",
    ),
    Rule("value_at_risk", "Daily value at risk (95 %)", -0.03, -0.05, _OUT_OF_RANGE),
    Rule("beta", "Absolute beta", 1.3, 1.8, "the benchmark does not vary", ".2f"),
    Rule(
        "correlation", "Average correlation", 0.6, 0.8, "it takes two holdings or more, each with varying prices", ".2f"
    ),
    Rule("cash_share", "The share of cash", 0.3, 0.6, _OUT_OF_RANGE),
    Rule("price_coverage", "The share without enough price history", 0.01, 0.1, _NO_VALUE),
)

_REASONS = {
    "no_holdings": "there are no holdings",
    "no_prices": "no holding has a price",
    "low_coverage": "less than half of the market value has enough price history",
    "incomplete_valuation": "not all holdings have a price",
}


class _Scale:
    """A rule with its thresholds, the default ones or a user's own, and their texts in messages."""

    def __init__(self, rule: Rule, warning: float, breach: float) -> None:
        self.rule, self.warning, self.breach = rule, warning, breach
        shape = rule.number_format
        side = "at or below" if rule.low_is_bad else "at or above"
        self._is = f"{rule.label} is "
        self._within = f", within the limit of {warning:{shape}}."
        self._at_warning = f", {side} the warning threshold of {warning:{shape}}."
        self._at_breach = f", {side} the breach threshold of {breach:{shape}}."

    def check(self, value: float | None, reason: str | None) -> Check:
        """Return the check of one value; ``reason`` as in :func:`check_portfolio`."""
        rule = self.rule
        if value is None:
            cause = _REASONS.get(reason or "", rule.undefined)
            if rule.name == "price_coverage":
                return Check(rule.name, "breach", None, self.breach, f"{self._is}unknown: {cause}.")
            return Check(rule.name, "unknown", None, self.warning, f"{self._is}unknown: {cause}.")
        shown = f"{self._is}{value:{rule.number_format}}"
        if rule.crosses(value, self.breach):
            return Check(rule.name, "breach", value, self.breach, shown + self._at_breach)
        if rule.crosses(value, self.warning):
            return Check(rule.name, "warning", value, self.warning, shown + self._at_warning)
        return Check(rule.name, "ok", value, self.warning, shown + self._within)


_DEFAULT_SCALES = tuple(_Scale(rule, rule.warning, rule.breach) for rule in RULES)
_DEFAULTS = {rule.name: Limits(rule.warning, rule.breach) for rule in RULES}


def limits_of(thresholds: Mapping[str, Mapping[str, float]]) -> tuple[Mapping[str, Limits], tuple[str, ...]]:
    """Return every rule's limits for a person, and sentences about thresholds that do not count."""
    if not thresholds:
        return _DEFAULTS, ()
    return {rule.name: Limits(*rule.limits(thresholds)) for rule in RULES}, ()


def check_portfolio(judged: Judged, limits: Mapping[str, Limits]) -> tuple[Check, ...]:
    """Return the checks of the values, one for each rule, in the order of :data:`RULES`."""
    if limits is _DEFAULTS:
        scales = _DEFAULT_SCALES
    else:
        scales = tuple(_Scale(rule, limits[rule.name].warning, limits[rule.name].breach) for rule in RULES)
    return tuple([scale.check(judged.values[scale.rule.name], judged.reason) for scale in scales])
