from dataclasses import replace

import pytest

from analysis.models import Decision, Research
from tests.analysis.market import DAYS, only
from tests.builders import PortfolioBuilder, a_portfolio, a_research, a_table, analyze, bars

# Symbols with the same price, so that weights are easy to read.
TABLE = a_table({symbol: bars(DAYS, 100.0) for symbol in ("A", "B")}, bars(DAYS, 100.0))


def decide(portfolio: PortfolioBuilder, *research: Research) -> dict[str, Decision]:
    report = only(analyze(TABLE, portfolio, research=research))
    assert report.status == "analyzed"
    return {decision.symbol: decision for decision in report.decisions}


def about(share: float, score: float | None, *, breach: float | None = None) -> tuple[str, int]:
    """Return the decision about A, which is this share of the portfolio; the rest is cash."""
    portfolio = a_portfolio().holding("A", share).cash(100 * (1 - share))
    if breach is not None:
        portfolio = portfolio.thresholds({"largest_position": {"breach": breach}})
    decision = decide(portfolio, a_research("A", score))["A"]
    return decision.decision, decision.position_size_percent


class TestHoldings:
    @pytest.mark.parametrize(
        ("share", "score", "decision"),
        [
            (0.10, 0.5, ("BUY", 10)),
            (0.10, 0.499999, ("HOLD", 0)),
            (0.1499, 1.0, ("BUY", 10)),
            (0.15, 1.0, ("HOLD", 0)),
            (0.10, 0.0, ("HOLD", 0)),
            (0.10, -0.499999, ("HOLD", 0)),
            (0.10, -0.5, ("SELL", 50)),
            (0.10, -1.0, ("SELL", 50)),
            (0.10, None, ("HOLD", 0)),
        ],
    )
    def test_a_holding_is_bought_held_or_halved_by_its_score(
        self, share: float, score: float | None, decision: tuple[str, int]
    ) -> None:
        assert about(share, score) == decision

    @pytest.mark.parametrize(
        ("share", "score", "percent"),
        [
            (0.25, None, 20),  # 0.25 to 0.20 is a fifth
            (0.25, 1.0, 20),  # a good outlook does not save it
            (0.26, 0.0, 24),  # 23.08, rounded up
            (0.40, 0.0, 50),
            (0.80, 0.0, 75),
            (1.00, 0.0, 80),
            (0.30, -0.5, 50),  # half is more than 33.3
            (0.60, -0.5, 67),  # 66.7 is more than half
        ],
    )
    def test_a_position_at_the_breach_is_sold_down_to_a_fifth_if_that_is_more(
        self, share: float, score: float | None, percent: int
    ) -> None:
        assert about(share, score) == ("SELL", percent)

    def test_just_below_the_breach_nothing_is_forced(self) -> None:
        assert about(0.2499, 0.0) == ("HOLD", 0)

    def test_the_user_s_own_breach_counts(self) -> None:
        assert about(0.40, 0.0, breach=0.5) == ("HOLD", 0)
        assert about(0.50, 0.0, breach=0.5) == ("SELL", 60)
        assert about(0.22, 0.0, breach=0.22) == ("SELL", 10)

    def test_a_position_below_a_fifth_is_not_sold_down(self) -> None:
        assert about(0.18, 0.0, breach=0.1) == ("HOLD", 0)
        assert about(0.20, 0.0, breach=0.1) == ("HOLD", 0)
        assert about(0.18, -0.6, breach=0.1) == ("SELL", 50)

    def test_a_holding_without_a_price_is_held(self) -> None:
        decision = decide(a_portfolio().holding("NONE", 5).cash(100))["NONE"]

        assert (decision.decision, decision.confidence) == ("HOLD", 1)
        assert decision.reasoning_summary == "Hold: the position has no price."


class TestShortPositions:
    @pytest.mark.parametrize(
        ("share", "score", "decision"),
        [
            (-0.10, 0.5, ("BUY", 50)),  # half of it is bought back
            (-0.10, 0.4, ("HOLD", 0)),
            (-0.10, -1.0, ("HOLD", 0)),  # it profits from falling prices; short positions are never increased
            (-0.40, 0.0, ("BUY", 50)),
            (-0.80, -1.0, ("BUY", 75)),
            (-0.30, 0.9, ("BUY", 50)),
        ],
    )
    def test_a_short_position_is_closed_like_a_long_one_with_the_opposite_score(
        self, share: float, score: float, decision: tuple[str, int]
    ) -> None:
        assert about(share, score) == decision

    def test_the_reasoning_explains_that_it_is_bought_back(self) -> None:
        portfolio = a_portfolio().holding("A", -0.4).cash(140)

        decision = decide(portfolio, a_research("A", 0.0))["A"]

        assert decision.reasoning_summary.startswith("Buy back 50% of the short position: at 40.0% of the total value")


class TestWatchlist:
    @pytest.mark.parametrize(
        ("score", "decision"),
        [(1.0, ("BUY", 10)), (0.5, ("BUY", 10)), (0.4, ("HOLD", 0)), (-1.0, ("HOLD", 0)), (None, ("HOLD", 0))],
    )
    def test_what_is_watched_is_bought_or_left(self, score: float | None, decision: tuple[str, int]) -> None:
        found = decide(a_portfolio().watching("A").cash(100), a_research("A", score))["A"]

        assert (found.decision, found.position_size_percent) == decision

    def test_what_is_held_and_watched_is_decided_once_as_a_holding(self) -> None:
        report = only(
            analyze(
                TABLE,
                a_portfolio().holding("A", 0.5).watching("A", "B").cash(50),
                research=[a_research("A", 0.9), a_research("B", 0.9)],
            )
        )

        assert [(decision.symbol, decision.decision) for decision in report.decisions] == [("A", "SELL"), ("B", "BUY")]

    def test_a_symbol_without_a_price_is_left(self) -> None:
        decision = decide(a_portfolio().watching("NONE").cash(100))["NONE"]

        assert decision.reasoning_summary == "Hold: there is no score, for no price is known."


class TestConfidence:
    @pytest.mark.parametrize(
        ("score", "confidence"),
        [
            (None, 1),
            (0.0, 1),
            (0.04, 1),
            (0.15, 2),
            (0.35, 4),
            (-0.449, 4),
            (0.45, 5),
            (-0.65, 7),
            (0.949, 9),
            (1.0, 10),
        ],
    )
    def test_it_is_ten_times_the_score_rounded_half_up_and_at_least_one(
        self, score: float | None, confidence: int
    ) -> None:
        assert decide(a_portfolio().watching("A").cash(1), a_research("A", score))["A"].confidence == confidence

    @pytest.mark.parametrize(("score", "confidence"), [(None, 8), (0.1, 8), (-0.6, 8), (-0.9, 9), (0.9, 9)])
    def test_it_is_at_least_eight_where_a_breach_forces_the_sale(self, score: float | None, confidence: int) -> None:
        decision = decide(a_portfolio().holding("A", 1), a_research("A", score))["A"]

        assert (decision.decision, decision.confidence) == ("SELL", confidence)


class TestReasoning:
    known = replace(a_research("A", 0.65), trend=1, momentum_12_1=0.312, macd_histogram=-0.1234, rsi_14=55.4)
    outlook = "(trend up, momentum 31.2%, MACD histogram -0.123, RSI 55)"

    def reason(self, share: float, score: float | None) -> str:
        portfolio = a_portfolio().holding("A", share).cash(100 * (1 - share))
        return decide(portfolio, replace(self.known, score=score))["A"].reasoning_summary

    def test_it_contains_the_decisive_figures(self) -> None:
        score = f"the score of 0.650 {self.outlook}"
        assert self.reason(0.1, 0.65) == f"Buy for 10% of the buying power: {score} is at or above 0.5."
        assert self.reason(0.2, 0.65) == (
            f"Hold: {score} is good, but at 20.0% of the total value the position has no room below 15.0%."
        )
        assert self.reason(0.5, 0.65) == (
            "Sell 60%: at 50.0% of the total value the position is at or above the breach threshold of 25.0%, "
            "and 20.0% is to be left."
        )
        assert self.reason(0.1, -0.65) == f"Sell 50%: the score of -0.650 {self.outlook} is at or below -0.5."
        assert self.reason(0.1, 0.25) == f"Hold: the score of 0.250 {self.outlook} is between -0.5 and 0.5."
        assert self.reason(0.1, None) == "Hold: there is no score, for fewer than 200 closes are known."

    @pytest.mark.parametrize("score", [-0.5, -0.65])
    def test_it_explains_that_a_watched_symbol_cannot_be_sold(self, score: float) -> None:
        decision = decide(a_portfolio().watching("A").cash(100), replace(self.known, score=score))["A"]

        assert decision.reasoning_summary == (
            f"Hold: the score of {score:.3f} {self.outlook} is at or below -0.5, but there is nothing to sell."
        )

    def test_it_is_one_sentence(self) -> None:
        for share in (0.1, 0.2, 0.5):
            for score in (None, -0.9, 0.0, 0.9):
                reason = self.reason(share, score)
                assert reason.endswith(".")
                assert ". " not in reason


def test_a_skipped_user_gets_no_advice() -> None:
    report = only(analyze(TABLE, a_portfolio().holding("A", -5).watching("B")))

    assert report.status == "skipped"
    assert (report.decisions, report.order_plan) == ((), None)
