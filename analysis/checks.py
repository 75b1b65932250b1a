"""The rules for all portfolios, with the thresholds of each person."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.models import Check
from records import Record

_SAME = 1e-12
"""Values that differ by no more are the same."""


class Limits(Record, frozen=True):
    """The thresholds of one rule for one person."""

    warning: float
    breach: float


class Judged(Record, frozen=True):
    """What the rules judge of one portfolio.

    ``values`` are by rule; while the valuation is not ``complete``, those of rules ``with_estimates`` contain the
    estimates of the unpriced holdings. ``sized`` is false if the size of one is unknown. ``reason`` is the report's,
    ``diversified_funds`` whether one is held, ``observations`` the number of returns of the backtest, ``own_drawdown``
    whether the drawdown is that of what the person really earned.
    """

    values: Mapping[str, float | None]
    reason: str | None
    complete: bool
    sized: bool
    diversified_funds: bool
    observations: int | None
    own_drawdown: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: ``warning`` and ``breach`` are the default thresholds.

    A breach below the warning means that low values are bad. ``undefined`` is the reason for a missing value of a
    portfolio that was analyzed in full. ``in_backtest`` marks a figure of the backtest, ``of_funds`` the remark about a
    value if a diversified fund is held, ``with_estimates`` a value that contains those of unpriced holdings, and
    ``zero_is_ok`` one that is 0 without a holding to judge.
    """

    name: str
    label: str
    warning: float
    breach: float
    undefined: str
    number_format: str = ".1%"
    in_backtest: bool = False
    of_funds: str = ""
    with_estimates: bool = False
    zero_is_ok: bool = False
    low_is_bad: bool = field(init=False)
    """Whether a value at or below a threshold has crossed it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "low_is_bad", self.breach < self.warning)

    def crosses(self, value: float, threshold: float) -> bool:
        """Return whether ``value`` is at ``threshold``, apart from rounding, or beyond it."""
        if self.low_is_bad:
            return value <= threshold + _SAME
        return value >= threshold - _SAME and not (self.zero_is_ok and value == 0)

    def objection(self, limits: Limits) -> str | None:
        """Return why these thresholds do not count, or ``None`` if they do."""
        if not (math.isfinite(limits.warning) and math.isfinite(limits.breach)):
            return "one of them is no finite number"
        if self is LARGEST_POSITION and min(limits.warning, limits.breach) <= 0:
            return "they must be above 0"
        if limits.warning != limits.breach and (limits.breach < limits.warning) is not self.low_is_bad:
            side = "below" if self.low_is_bad else "above"
            return f"the breach of {limits.breach:g} is not at or {side} the warning of {limits.warning:g}"
        return None


_OUT_OF_RANGE = "the figures are out of any measurable range"
_FUNDS_APART = ", diversified funds apart"

LARGEST_POSITION = Rule(
    "largest_position",
    "the largest position",
    0.15,
    0.25,
    _OUT_OF_RANGE,
    of_funds=_FUNDS_APART,
    with_estimates=True,
    zero_is_ok=True,
)
_RISK_CONCENTRATION = Rule(
    "risk_concentration",
    "the largest risk contribution",
    0.30,
    0.50,
    "the returns do not vary",
    in_backtest=True,
    of_funds=_FUNDS_APART,
    zero_is_ok=True,
)
_PRICE_COVERAGE = Rule(
    "price_coverage",
    "the share of what is owned that the backtest leaves out",
    0.01,
    0.1,
    _OUT_OF_RANGE,
    with_estimates=True,
)
_DRAWDOWN = Rule("drawdown", "the current drawdown", -0.15, -0.30, "a day lost more than everything", in_backtest=True)
RULES = (
    LARGEST_POSITION,
    Rule(
        "effective_holdings",
        "the effective number of holdings",
        8,
        4,
        _OUT_OF_RANGE,
        ".1f",
        of_funds=", counting a diversified fund as 20 holdings",
        with_estimates=True,
    ),
    _RISK_CONCENTRATION,
    Rule("gross_exposure", "gross exposure", 1.3, 2.0, _OUT_OF_RANGE, ".2f", with_estimates=True),
    Rule("volatility", "annual volatility", 0.25, 0.40, _OUT_OF_RANGE, in_backtest=True),
    _DRAWDOWN,
    Rule(
        "value_at_risk",
        "the daily value at risk (95 %)",
        -0.03,
        -0.05,
        "there are too few returns for it: {observations}",
        in_backtest=True,
    ),
    Rule("beta", "absolute beta", 1.3, 1.8, "the benchmark does not vary", ".2f", in_backtest=True),
    Rule(
        "correlation",
        "average correlation",
        0.6,
        0.8,
        "it takes two holdings or more, each with varying prices",
        ".2f",
        in_backtest=True,
    ),
    Rule("cash_share", "the share of cash", 0.3, 0.6, _OUT_OF_RANGE, with_estimates=True),
    _PRICE_COVERAGE,
    Rule(
        "currency_exposure",
        "the largest share of a currency other than the base currency",
        0.5,
        0.8,
        "nothing that is owned has a value",
        with_estimates=True,
    ),
)
_RULES = {rule.name: rule for rule in RULES}
_MEMBERS = {"warning", "breach"}
_DEFAULT_LIMITS = {rule.name: Limits(rule.warning, rule.breach) for rule in RULES}

_UNSIZED = "the size of a holding without a price is unknown"
_REASONS = {
    "no_holdings": "there are no holdings",
    "no_prices": "no holding has a price",
    "incomplete_valuation": "it depends on a holding without a price",
    "low_coverage": "less than half of what is owned, or of the long or the short positions, has enough price history",
}


def limits_of(thresholds: Mapping[str, Mapping[str, float]]) -> tuple[Mapping[str, Limits], tuple[str, ...]]:
    """Return a person's limits of every rule, and a sentence about each of their ``thresholds`` that does not count.

    ``thresholds`` are ``{rule: {"warning", "breach"}}``, NaN for one that is no finite number. One alone is paired with
    the default of the other; a pair that makes no sense leaves its rule at the defaults.
    """
    if not thresholds:
        return _DEFAULT_LIMITS, ()
    limits, notes = dict(_DEFAULT_LIMITS), []
    for name, own in thresholds.items():
        rule = _RULES.get(name)
        if rule is None:
            notes.append(f'The thresholds of "{name}" do not count: there is no such rule.')
            continue
        unknown = sorted(own.keys() - _MEMBERS)
        notes += [
            f'The threshold "{member}" of {name} does not count: there is no such threshold.' for member in unknown
        ]
        pair = Limits(own.get("warning", rule.warning), own.get("breach", rule.breach))
        if objection := rule.objection(pair):
            notes.append(f"The thresholds of {name} do not count: {objection}.")
        else:
            limits[name] = pair
    return limits, tuple(notes)


def check_portfolio(judged: Judged, limits: Mapping[str, Limits]) -> tuple[Check, ...]:
    """Return the checks of one portfolio by its person's ``limits``, in the order of :data:`RULES`.

    A rule without a value in ``judged``, not even ``None``, does not apply.
    """
    values = judged.values if judged.complete else _known(judged)
    return tuple([scale.check(values[name], judged) for name, scale in _scales(limits) if name in judged.values])


def _known(judged: Judged) -> Mapping[str, float | None]:
    """Return the values of an incomplete valuation that can be judged."""
    known = dict(judged.values) | {_RISK_CONCENTRATION.name: None}
    return known if judged.sized else known | {rule.name: None for rule in RULES if rule.with_estimates}


class _Scale:
    """A rule with its limits, and their texts in messages."""

    def __init__(self, rule: Rule, limits: Limits) -> None:
        self.rule, self.limits = rule, limits
        shape = rule.number_format
        side = "at or below" if rule.low_is_bad else "at or above"
        label = f"in the backtest of today's holdings, {rule.label}" if rule.in_backtest else rule.label
        self._is = f"{label[0].upper()}{label[1:]} is "
        self._own_is = f"By the person's own time-weighted returns, {rule.label} is "
        self._within = f", within the limit of {limits.warning:{shape}}."
        self._at_warning = f", {side} the warning threshold of {limits.warning:{shape}}."
        self._at_breach = f", {side} the breach threshold of {limits.breach:{shape}}."

    def check(self, value: float | None, judged: Judged) -> Check:
        """Return the check of one value of the portfolio."""
        rule, limits = self.rule, self.limits
        if value is None:
            return self._unknown(judged)
        own = rule is _DRAWDOWN and judged.own_drawdown
        shown = (self._own_is if own else self._is) + format(value, rule.number_format)
        if judged.diversified_funds:
            shown += rule.of_funds
        if not judged.complete and rule.with_estimates:
            shown += ", with estimates for holdings without a price"
        if not rule.crosses(value, limits.warning):
            return Check(rule.name, "ok", value, limits.warning, shown + self._within)
        if rule.crosses(value, limits.breach):
            return Check(rule.name, "breach", value, limits.breach, shown + self._at_breach)
        return Check(rule.name, "warning", value, limits.warning, shown + self._at_warning)

    def _unknown(self, judged: Judged) -> Check:
        rule, limits = self.rule, self.limits
        message = f"{self._is}unknown: {_cause(rule, judged)}"
        if rule is _PRICE_COVERAGE:
            return Check(rule.name, "breach", None, limits.breach, f"{message}, which counts as a breach.")
        return Check(rule.name, "unknown", None, limits.warning, f"{message}.")


def _cause(rule: Rule, judged: Judged) -> str:
    """Return the reason why the rule's value is unknown."""
    if rule.with_estimates and not judged.sized:
        return _UNSIZED
    if rule is _RISK_CONCENTRATION and not judged.complete:
        return "a holding has no price, and its share of the risk is unknown"
    return _REASONS.get(judged.reason or "") or rule.undefined.format(observations=judged.observations)


_DEFAULT_SCALES = [(rule.name, _Scale(rule, _DEFAULT_LIMITS[rule.name])) for rule in RULES]


def _scales(limits: Mapping[str, Limits]) -> list[tuple[str, _Scale]]:
    """Return each rule's name and its scale; most persons have the default ones, others most of these."""
    if limits is _DEFAULT_LIMITS:
        return _DEFAULT_SCALES
    return [
        (name, scale if limits[name] is scale.limits else _Scale(scale.rule, limits[name]))
        for name, scale in _DEFAULT_SCALES
    ]
