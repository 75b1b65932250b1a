from copy import replace
from datetime import date

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.decisions import Adviser
from analysis.models import Decision, HoldingReport, Research
from tests.analysis.advice import TOTAL, decide, situation, valued
from tests.builders import a_portfolio, a_research


def about(
    weight: float,
    score: float | None,
    *,
    limits: tuple[float, float] = (0.15, 0.25),
    complete: bool = True,
    fund: bool = False,
    buying_power: float = 1_000,
) -> Decision:
    """Return the decision about A of this weight."""
    found = situation(limits=limits, complete=complete, funds={"A"} if fund else ())
    owner = a_portfolio().buying_power(buying_power)
    return decide([valued("A", weight)], [a_research("A", score)], owner, found)["A"]


def outcome(decided: Decision) -> tuple[str, float]:
    return decided.decision, decided.position_size_percent


class TestLongPositions:
    @pytest.mark.parametrize(
        ("weight", "score", "expected"),
        [
            (0.10, 0.5, ("BUY", 10)),
            (0.10, 0.499999, ("HOLD", 0)),
            (0.13, 1.0, ("BUY", 10)),
            (0.15, 1.0, ("HOLD", 0)),
            (0.15 - 1e-13, 1.0, ("HOLD", 0)),
            (0.10, 0.0, ("HOLD", 0)),
            (0.10, -0.499999, ("HOLD", 0)),
            (0.10, -0.5, ("SELL", 50)),
            (0.10, -1.0, ("SELL", 50)),
            (0.10, None, ("HOLD", 0)),
        ],
    )
    def test_one_is_bought_held_or_halved_by_its_score(
        self, weight: float, score: float | None, expected: tuple[str, float]
    ) -> None:
        assert outcome(about(weight, score)) == expected

    @pytest.mark.parametrize(
        ("weight", "score", "percent"),
        [
            (0.25, None, 20),  # 0.25 to 0.20 is a fifth
            (0.25, 1.0, 20),  # a good outlook does not save it
            (0.25 - 1e-13, 0.0, 20),
            (0.26, 0.0, 24),  # 23.08, rounded up
            (0.3030303030303031, 0.0, 34),  # 34.00000000000001 by rounding
            (0.40, 0.0, 50),
            (0.80, 0.0, 75),
            (1.00, 0.0, 80),
            (0.30, -0.5, 50),  # half is more than 33.3
            (0.60, -0.5, 67),  # 66.7 is more than half
        ],
    )
    def test_one_at_the_breach_is_sold_down_to_the_middle_of_the_limits_if_that_is_more(
        self, weight: float, score: float | None, percent: float
    ) -> None:
        assert outcome(about(weight, score)) == ("SELL", percent)

    def test_just_below_the_breach_nothing_is_forced(self) -> None:
        assert outcome(about(0.2499, 0.0)) == ("HOLD", 0)

    def test_the_limits_are_the_users_own(self) -> None:
        assert outcome(about(0.40, 0.0, limits=(0.15, 0.5))) == ("HOLD", 0)
        assert outcome(about(0.50, 0.0, limits=(0.3, 0.5))) == ("SELL", 20)
        assert outcome(about(0.30, 0.9, limits=(0.4, 0.5))) == ("BUY", 10)
        assert outcome(about(0.12, -0.6, limits=(0.05, 0.08))) == ("SELL", 50)  # more than the 46 down to 0.065

    def test_one_beyond_limits_of_5_and_8_percent_is_not_bought_at_a_good_score(self) -> None:
        decided = about(0.12, 0.85, limits=(0.05, 0.08))

        assert outcome(decided) == ("SELL", 46)
        assert about(0.06, 0.85, limits=(0.05, 0.08)).decision == "HOLD"

    def test_at_equal_limits_one_exactly_there_has_nothing_to_sell(self) -> None:
        decided = about(0.25, 0.9, limits=(0.25, 0.25))

        assert (outcome(decided), decided.strength) == (("HOLD", 0), 9)
        assert outcome(about(0.25, -0.9, limits=(0.25, 0.25))) == ("SELL", 50)

    def test_one_without_a_price_is_held(self) -> None:
        decided = decide([valued("NONE", None, price=None)])["NONE"]

        assert (decided.decision, decided.strength) == ("HOLD", 1)
        assert decided.reasoning_summary == "Hold: the position has no price."


class TestPurchases:
    def test_one_is_never_bought_beyond_the_warning(self) -> None:
        # Room for 0.02 x 10,000 = 200 of a buying power of 5,000.
        capped = about(0.13, 0.9, buying_power=5_000)
        assert capped.decision == "BUY"
        assert capped.position_size_percent == pytest.approx(4)
        assert outcome(about(0.13, 0.9, buying_power=1_999)) == ("BUY", 10)

    def test_a_watched_symbol_neither(self) -> None:
        decided = decide((), [a_research("W", 0.9)], a_portfolio().watching("W").buying_power(30_000))["W"]

        assert outcome(decided) == ("BUY", 5)
        assert decided.reasoning_summary.endswith(
            "is at or above 0.5, and 15.0% of the total value is not to be exceeded."
        )

    @pytest.mark.parametrize("buying_power", [0.0, -100.0])
    def test_without_buying_power_there_is_nothing_to_cap(self, buying_power: float) -> None:
        assert outcome(about(0.1499, 0.9, buying_power=buying_power)) == ("BUY", 10)

    def test_a_fund_is_not_bought_beyond_the_warning_either(self) -> None:
        assert outcome(about(0.5, 0.9, fund=True)) == ("HOLD", 0)


class TestDiversifiedFunds:
    def test_an_index_fund_as_everything_is_not_sold_for_its_weight(self) -> None:
        assert outcome(about(1.0, 0.2, fund=True)) == ("HOLD", 0)
        assert outcome(about(1.0, None, fund=True)) == ("HOLD", 0)
        assert outcome(about(1.0, 0.2)) == ("SELL", 80)

    def test_one_is_halved_at_a_bad_score_as_any_holding_is(self) -> None:
        assert outcome(about(1.0, -0.6, fund=True)) == ("SELL", 50)

    def test_a_short_one_is_not_covered_for_its_weight(self) -> None:
        assert outcome(about(-0.5, 0.0, fund=True)) == ("HOLD", 0)
        assert outcome(about(-0.5, 0.5, fund=True)) == ("BUY", 50)


class TestShortPositions:
    @pytest.mark.parametrize(
        ("weight", "score", "expected"),
        [
            (-0.10, 0.5, ("BUY", 50)),
            (-0.10, 0.4, ("HOLD", 0)),
            (-0.10, -1.0, ("HOLD", 0)),  # a short position is never enlarged
            (-0.40, 0.0, ("BUY", 50)),
            (-0.60, 0.0, ("BUY", 67)),
            (-0.80, -1.0, ("BUY", 75)),
            (-0.30, 0.9, ("BUY", 50)),
            (-3.00, 0.0, ("BUY", 94)),
        ],
    )
    def test_one_is_covered_at_the_opposite_score_or_for_its_weight(
        self, weight: float, score: float, expected: tuple[str, float]
    ) -> None:
        assert outcome(about(weight, score)) == expected

    def test_covers_have_no_cap_by_the_buying_power(self) -> None:
        assert outcome(about(-0.60, 0.0, buying_power=0)) == ("BUY", 67)

    def test_the_reasons_name_the_short_position(self) -> None:
        assert about(-0.4, 0.0).reasoning_summary.startswith(
            "Buy back 50% of the short position: at 40.0% of the total value the position is at or above the breach"
        )
        assert about(-0.1, -0.7).reasoning_summary.endswith("is at or below -0.5, from which a short position gains.")


class TestIncompleteValuation:
    """Weights of what is priced are too large, or too small, while a holding has no price."""

    def test_a_small_holding_beside_a_large_one_without_a_price_is_not_sold(self) -> None:
        found = decide(
            [valued("AAPL", 1.0), valued("LOST", None, price=None)],
            [a_research("AAPL", 0.2)],
            found=situation(complete=False),
        )

        assert {symbol: decided.decision for symbol, decided in found.items()} == {"AAPL": "HOLD", "LOST": "HOLD"}
        assert found["AAPL"].reasoning_summary == (
            "Hold: at 100.0% of what has a price the position is at or above the breach threshold of 25.0%, but it is "
            "not reduced for its weight while a holding has no price."
        )

    def test_the_rest_of_a_portfolio_whose_largest_share_lost_its_price_gets_the_advice_of_the_night_before(
        self,
    ) -> None:
        rest = {"B": 0.27, "C": 0.32, "D": 0.32, "E": 0.09}
        research = [a_research(symbol, 0.1) for symbol in ("A", *rest)]

        before = decide(
            [valued("A", 0.7), *[valued(symbol, 0.3 * weight) for symbol, weight in rest.items()]], research
        )
        tonight = decide(
            [valued("A", None, price=None), *[valued(symbol, weight) for symbol, weight in rest.items()]],
            research,
            found=situation(total_value=0.3 * TOTAL, complete=False),
        )

        assert [outcome(tonight[symbol]) for symbol in rest] == [outcome(before[symbol]) for symbol in rest]

    def test_a_bad_score_still_sells_and_a_good_one_still_covers_half(self) -> None:
        assert outcome(about(0.6, -0.7, complete=False)) == ("SELL", 50)
        assert outcome(about(-0.6, 0.7, complete=False)) == ("BUY", 50)
        assert outcome(about(-0.6, 0.0, complete=False)) == ("HOLD", 0)

    def test_the_strength_is_not_that_of_a_sale_for_its_weight(self) -> None:
        assert about(0.6, -0.6, complete=False).strength == 6

    def test_a_valuation_alone_decides_nothing(self) -> None:
        owner, scores = a_portfolio().watching("W", "N").buying_power(100), {"A": -0.9, "W": 0.9, "N": None}

        found = decide(
            [valued("A", None)],
            [a_research(symbol, score) for symbol, score in scores.items()],
            owner,
            situation(valuation_only=True),
        )

        assert {outcome(decided) for decided in found.values()} == {("HOLD", 0)}
        assert found["A"].reasoning_summary == "Hold: the total value is not known, or not above zero."
        assert (found["A"].strength, found["W"].strength, found["N"].strength) == (9, 9, 1)


class TestWatchlist:
    @pytest.mark.parametrize(
        ("score", "expected"),
        [(1.0, ("BUY", 10)), (0.5, ("BUY", 10)), (0.4, ("HOLD", 0)), (-1.0, ("HOLD", 0)), (None, ("HOLD", 0))],
    )
    def test_what_is_watched_is_bought_or_left(self, score: float | None, expected: tuple[str, float]) -> None:
        assert outcome(decide((), [a_research("A", score)], a_portfolio().watching("A"))["A"]) == expected

    def test_what_is_held_and_watched_is_decided_once_as_a_holding(self) -> None:
        adviser = Adviser({symbol: a_research(symbol, 0.9) for symbol in ("A", "B")})

        found = adviser.decide(a_portfolio().watching("A", "B").build(), [valued("A", 0.5)], situation())

        assert [(decided.symbol, decided.decision) for decided in found] == [("A", "SELL"), ("B", "BUY")]

    def test_a_symbol_without_a_price_is_left(self) -> None:
        found = decide((), portfolio=a_portfolio().watching("NONE"))["NONE"]

        assert found.reasoning_summary == "Hold: there is no score, for no price is known."

    def test_a_watched_symbol_whose_holding_cannot_be_read_is_not_bought(self) -> None:
        owner = a_portfolio().invalid_holding("A", "quantity is not a number").watching("A", "B").build()
        adviser = Adviser({symbol: a_research(symbol, 0.9) for symbol in "AB"})

        held, other = adviser.decide(owner, [], situation(complete=False))

        assert (held.decision, other.decision) == ("HOLD", "BUY")
        assert held.reasoning_summary == "Hold: what is held of it cannot be read."


class TestSignal:
    @pytest.mark.parametrize(
        ("score", "strength"),
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
    def test_the_strength_is_ten_times_the_score_rounded_half_up_and_at_least_one(
        self, score: float | None, strength: int
    ) -> None:
        assert decide((), [a_research("A", score)], a_portfolio().watching("A"))["A"].strength == strength

    @pytest.mark.parametrize(("score", "strength"), [(None, 8), (0.1, 8), (-0.6, 8), (-0.9, 9), (0.9, 9)])
    @pytest.mark.parametrize("weight", [0.25, 0.8, -0.8])
    def test_it_is_at_least_eight_where_the_weight_forces_a_sale_or_a_cover(
        self, weight: float, score: float | None, strength: int
    ) -> None:
        assert about(weight, score).strength == strength

    def test_it_is_since_the_day_that_the_research_says(self) -> None:
        since = date(2025, 11, 3)
        for score in (-0.9, 0.0, 0.9):
            research = [replace(a_research("A", score), signal_since=since)]
            for weight in (0.1, 0.2, 0.5, -0.1, -0.5):
                assert decide([valued("A", weight)], research)["A"].signal_since == since
            assert decide((), research, a_portfolio().watching("A"))["A"].signal_since == since
        assert about(0.5, None).signal_since is None


class TestReasoning:
    known = replace(a_research("A", 0.65), trend=1, momentum_12_1=0.312, macd_histogram=-0.1234, rsi_14=55.4)
    outlook = "(trend up, momentum 31.2%, MACD histogram -0.123, RSI 55)"

    def reason(self, weight: float, score: float | None) -> str:
        return decide([valued("A", weight)], [replace(self.known, score=score)])["A"].reasoning_summary

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
        assert self.reason(0.1, None) == "Hold: there is no score, for fewer than 200 recent closes are known."

    def test_a_score_just_short_of_a_threshold_is_not_shown_as_at_it(self) -> None:
        assert "the score of 0.499 " in self.reason(0.1, 0.499_999_9)
        assert "the score of -0.499 " in self.reason(0.1, -0.499_999_9)
        assert "the score of 0.570 " in self.reason(0.1, 0.57)

    @pytest.mark.parametrize("score", [-0.5, -0.65])
    def test_it_explains_that_a_watched_symbol_cannot_be_sold(self, score: float) -> None:
        found = decide((), [replace(self.known, score=score)], a_portfolio().watching("A"))["A"]

        assert found.reasoning_summary == (
            f"Hold: the score of {score:.3f} {self.outlook} is at or below -0.5, but there is nothing to sell."
        )

    def test_it_is_one_sentence(self) -> None:
        for weight in (0.1, 0.2, 0.5, -0.1, -0.5):
            for score in (None, -0.9, 0.0, 0.9):
                reason = self.reason(weight, score)
                assert reason.endswith(".")
                assert ". " not in reason


def test_the_strength_is_repeated_for_readers_who_know_it_as_confidence() -> None:
    for score in (None, -0.9, 0.0, 0.9):
        decided = decide([valued("A", 0.1)], [a_research("A", score)])["A"]
        assert decided.confidence == decided.strength


values = st.floats(1, 1e6) | st.floats(-1e6, -1)
owned = st.lists(st.tuples(values, st.none() | st.floats(-1, 1)), min_size=2, max_size=8)


def of_values(market_values: list[float], unpriced: int | None, cash: float) -> tuple[list[HoldingReport], float]:
    """Return holdings of these values, one of them without a price, and the total of the others."""
    priced = [value for place, value in enumerate(market_values) if place != unpriced]
    total = sum(priced) + cash
    assume(total > 0)
    return [
        valued(f"S{place}", None, price=None) if place == unpriced else valued(f"S{place}", value / total)
        for place, value in enumerate(market_values)
    ], total


@settings(deadline=None, max_examples=300)
@given(owned, st.floats(0, 1e7), st.data())
def test_a_holding_that_loses_its_price_adds_no_sale_and_no_cover_for_weight(
    given_holdings: list[tuple[float, float | None]], cash: float, data: st.DataObject
) -> None:
    market_values = [value for value, _ in given_holdings]
    lost = data.draw(st.integers(0, len(market_values) - 1))
    research: list[Research] = [a_research(f"S{place}", score) for place, (_, score) in enumerate(given_holdings)]
    before, total = of_values(market_values, None, cash)
    after, rest = of_values(market_values, lost, cash)

    complete = decide(before, research, found=situation(total_value=total))
    tonight = decide(after, research, found=situation(total_value=rest, complete=False))

    assert tonight[f"S{lost}"].decision == "HOLD"
    for place, (value, score) in enumerate(given_holdings):
        symbol = f"S{place}"
        reduced = tonight[symbol].decision == ("SELL" if value > 0 else "BUY")
        if place != lost and reduced:
            against = score is not None and (score <= -0.5 if value > 0 else score >= 0.5)
            assert against
            assert tonight[symbol].position_size_percent == 50
            assert complete[symbol].decision == tonight[symbol].decision
            assert complete[symbol].position_size_percent >= 50
