"""The judgment of each portfolio of a page: why figures or orders are missing, and the values of its checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.checks import Judged
from analysis.exposure import MIN_COVERAGE, TOLERANCE, Exposure
from analysis.measures import CANCELED, optional_rows
from analysis.models import Booleans, Floats, Objects, Risk
from analysis.valuation import Positions, Totals, count_by, largest_by, sum_by
from analysis.windows import PageFigures
from records import Record

_SKIPPED = ("non_finite_value", "non_positive_value")
_MOST_UNPRICED = 0.01
"""The largest unpriced share of everything owned beside which orders are planned."""

_VALUES = (
    *("largest_position", "effective_holdings", "gross_exposure", "cash_share"),
    *("risk_concentration", "correlation", "price_coverage"),
)
_HOLDINGS_OF_A_FUND = 20
"""A diversified fund counts as so many holdings."""


class Verdict(Record, frozen=True):
    """Why parts of one report are missing.

    ``reason`` is one word for why it is skipped, or has no return-based figures; ``None`` if it has them. With
    ``valuation_only`` there are not even weights. ``no_orders`` is one word for why there are none whatever the
    decisions.
    """

    reason: str | None
    skipped: bool
    valuation_only: bool
    no_orders: str | None


@dataclass(frozen=True, slots=True)
class Judgment:
    """The verdicts on a page, and as arrays, ``(portfolios,)``, on which portfolios there are which figures."""

    verdicts: list[Verdict]
    valuation_only: Booleans
    measurable: Booleans


def judge(positions: Positions, totals: Totals, exposure: Exposure, *, newest: bool) -> Judgment:
    """Return the judgment; ``newest`` is false as of an earlier day than the last there is."""
    complete, empty = totals.unpriced == 0, totals.held == 0
    # Weights relative to the rounding error of a total that cancels out would be absurd.
    rounding = CANCELED * (totals.gross_value + np.abs(totals.cash))
    worthless = ~(totals.total_value > rounding)
    indebted = worthless | ~(totals.total_estimate > rounding)
    unpriced = (totals.unpriced == totals.held) & ~empty
    valuation_only = ~complete & (unpriced | indebted)
    short = count_by(positions.owner[positions.quantity < 0], len(empty)) > 0
    reasons = _first(
        (~totals.finite, "non_finite_value"),
        (complete & np.where(empty, totals.total_value < 0, worthless), "non_positive_value"),
        (unpriced, "no_prices"),
        (empty, "no_holdings"),
        (valuation_only, "incomplete_valuation"),
        ((totals.unsized > 0) & (short | (totals.cash < 0)), "incomplete_valuation"),
        (~_is_represented(exposure), "low_coverage"),
    )
    much = totals.unpriced_cost > (_MOST_UNPRICED + TOLERANCE) * totals.gross_value
    orders = _first(
        (~complete & ((totals.unsized > 0) | much), "incomplete_valuation"),
        (np.full(len(empty), not newest), "past_as_of"),
    )
    columns = (
        _named(reasons),
        [reason in _SKIPPED for reason in reasons],
        valuation_only.tolist(),
        _named(np.where(valuation_only, reasons, orders)),
    )
    return Judgment([Verdict(*row) for row in zip(*columns, strict=True)], valuation_only, reasons == "")


def judged_values(
    positions: Positions,
    totals: Totals,
    exposure: Exposure,
    figures: PageFigures,
    judgment: Judgment,
    foreign_shares: Sequence[Mapping[str, float | None]],
    own_drawdowns: Sequence[float | None],
) -> list[Judged]:
    """Return the values of the checks, the unpriced positions included at their estimates.

    ``foreign_shares`` are those of :func:`analysis.currency_exposure.foreign_shares`, and ``own_drawdowns`` those of
    what persons really earned, where that is known.
    """
    size, complete, sized = len(totals.cash), totals.unpriced == 0, totals.unsized == 0
    empty = totals.held == 0
    whole = np.where(totals.total_estimate > 0, totals.total_estimate, np.nan)
    of_weights = (
        _largest_position(positions, size, whole),
        _effective_holdings(positions, totals),
        totals.gross_value / whole,
        np.where(empty, np.nan, (totals.cash - totals.sides[1]) / whole),
    )
    columns = optional_rows(
        [
            *(np.where(sized, values, np.nan) for values in of_weights),
            np.where(complete, _risk_concentration(positions, exposure, figures, judgment.measurable), np.nan),
            figures.average_correlation,
            1 - reported_coverage(totals, exposure),
        ]
    )
    held_funds = count_by(positions.owner[positions.fund], size) > 0
    rows = zip(
        zip(*columns, strict=True),
        figures.risk,
        judgment.verdicts,
        complete.tolist(),
        sized.tolist(),
        held_funds.tolist(),
        figures.performance,
        foreign_shares,
        own_drawdowns,
        strict=True,
    )
    return [
        Judged(
            values={**dict(zip(_VALUES, values, strict=True)), **_values_of_returns(risk, drawdown), **foreign},
            reason=verdict.reason,
            complete=of_everything,
            sized=of_known_size,
            diversified_funds=with_funds,
            observations=performance.observations if performance else None,
            own_drawdown=drawdown is not None,
        )
        for values, risk, verdict, of_everything, of_known_size, with_funds, performance, foreign, drawdown in rows
    ]


def _values_of_returns(risk: Risk | None, own_drawdown: float | None) -> dict[str, float | None]:
    beta = risk.beta if risk else None
    of_backtest = risk.current_drawdown if risk else None
    return {
        "volatility": risk.annual_volatility if risk else None,
        "drawdown": of_backtest if own_drawdown is None else own_drawdown,
        "value_at_risk": risk.value_at_risk_95 if risk else None,
        "beta": None if beta is None else abs(beta),
    }


def reported_coverage(totals: Totals, exposure: Exposure) -> Floats:
    """Return the share of everything owned behind the return-based figures, NaN if the size of a holding is unknown."""
    known = np.where(totals.unsized > 0, np.nan, exposure.standing.coverage)
    return np.where(totals.held == 0, 1.0, known)


def _is_represented(exposure: Exposure) -> Booleans:
    """Return whether enough of everything and of each side is included."""
    return (exposure.standing.coverage >= MIN_COVERAGE - TOLERANCE) & exposure.standing.balanced


def _largest_position(positions: Positions, size: int, whole: Floats) -> Floats:
    rows = ~(positions.fund | np.isnan(positions.size))
    owner = positions.owner[rows]
    largest = largest_by(owner, np.abs(positions.size[rows]), size) / whole
    return np.where(count_by(owner, size) > 0, largest, 0.0)


def _effective_holdings(positions: Positions, totals: Totals) -> Floats:
    rows = ~np.isnan(positions.size)
    owner = positions.owner[rows]
    shares = positions.size[rows] / totals.gross_value[owner]
    counting = shares * shares / np.where(positions.fund[rows], _HOLDINGS_OF_A_FUND, 1)
    return 1 / sum_by(owner, counting, len(totals.cash))


def _risk_concentration(positions: Positions, exposure: Exposure, figures: PageFigures, measurable: Booleans) -> Floats:
    """Return the largest risk contribution of what is no diversified fund, 0 without such a holding."""
    size = len(measurable)
    contributing = ~positions.fund & (exposure.standing.weight != 0)
    owner = positions.owner[contributing]
    largest = largest_by(owner, figures.risk_contribution[contributing], size)
    without = np.where(measurable, count_by(owner, size) == 0, count_by(positions.owner[~positions.fund], size) == 0)
    return np.where(without, 0.0, largest)


def _first(*rules: tuple[Booleans, str]) -> Objects:
    """Return the name of the first rule that applies to each portfolio, an empty one if none does."""
    return np.select([applies for applies, _ in rules], [name for _, name in rules], "").astype(np.object_)


def _named(words: Objects) -> list[str | None]:
    return [word or None for word in words.tolist()]
