import math
from copy import replace

import pytest

from analysis.checks import RULES, Judged, Limits, check_portfolio, limits_of
from analysis.models import Check

FINE: dict[str, float | None] = {
    "largest_position": 0.1,
    "effective_holdings": 12.0,
    "risk_concentration": 0.2,
    "gross_exposure": 1.0,
    "volatility": 0.15,
    "drawdown": -0.05,
    "value_at_risk": -0.01,
    "beta": 1.0,
    "correlation": 0.3,
    "cash_share": 0.1,
    "price_coverage": 0.0,
    "currency_exposure": 0.2,
}
JUDGED = Judged(FINE, reason=None, complete=True, sized=True, diversified_funds=False, observations=1260)
THRESHOLDS = [
    ("largest_position", 0.15, 0.25),
    ("effective_holdings", 8, 4),
    ("risk_concentration", 0.30, 0.50),
    ("gross_exposure", 1.3, 2.0),
    ("volatility", 0.25, 0.40),
    ("drawdown", -0.15, -0.30),
    ("value_at_risk", -0.03, -0.05),
    ("beta", 1.3, 1.8),
    ("correlation", 0.6, 0.8),
    ("cash_share", 0.3, 0.6),
    ("price_coverage", 0.01, 0.1),
    ("currency_exposure", 0.5, 0.8),
]
NAMES = [name for name, _, _ in THRESHOLDS]
OF_THE_BACKTEST = ("risk_concentration", "volatility", "drawdown", "value_at_risk", "beta", "correlation")
WITH_ESTIMATES = ("largest_position", "effective_holdings", "gross_exposure", "cash_share", "currency_exposure")


def checks(judged: Judged, thresholds: dict[str, dict[str, float]] | None = None) -> dict[str, Check]:
    limits, _ = limits_of(thresholds or {})
    return {check.rule: check for check in check_portfolio(judged, limits)}


def check(
    rule: str,
    value: float | None,
    thresholds: dict[str, dict[str, float]] | None = None,
    judged: Judged = JUDGED,
) -> Check:
    return checks(replace(judged, values=FINE | {rule: value}), thresholds)[rule]


class TestStatus:
    def test_every_rule_is_checked_once_in_the_order_of_the_table(self) -> None:
        found = check_portfolio(JUDGED, limits_of({})[0])

        assert [(rule.name, rule.warning, rule.breach) for rule in RULES] == THRESHOLDS
        assert [check.rule for check in found] == NAMES
        assert {check.status for check in found} == {"ok"}
        assert [check.threshold for check in found] == [warning for _, warning, _ in THRESHOLDS]

    @pytest.mark.parametrize(("rule", "warning", "breach"), THRESHOLDS)
    def test_a_value_exactly_at_a_threshold_has_crossed_it(self, rule: str, warning: float, breach: float) -> None:
        for status, threshold in (("warning", warning), ("breach", breach)):
            found = check(rule, threshold)
            assert (found.status, found.value, found.threshold) == (status, threshold, threshold)

    @pytest.mark.parametrize(("rule", "warning", "breach"), THRESHOLDS)
    @pytest.mark.parametrize(("before", "crossed"), [(0.9e-12, True), (1.1e-12, False), (1e-6, False)])
    def test_a_value_within_1e_12_of_a_threshold_is_at_it(
        self, rule: str, warning: float, breach: float, before: float, crossed: bool
    ) -> None:
        back = before if warning < breach else -before
        assert check(rule, warning - back).status == ("warning" if crossed else "ok")
        assert check(rule, breach - back).status == ("breach" if crossed else "warning")

    def test_without_a_holding_to_judge_position_and_risk_are_ok(self) -> None:
        for rule in ("largest_position", "risk_concentration"):
            assert (check(rule, 0.0).status, check(rule, 0.0).value) == ("ok", 0.0)
        assert check("risk_concentration", 0.0, {"risk_concentration": {"warning": 0.0}}).status == "ok"

    def test_zero_is_at_a_threshold_of_zero_as_any_value_is(self) -> None:
        assert check("drawdown", 0.0, {"drawdown": {"warning": 0.0}}).status == "warning"
        assert check("cash_share", 0.0, {"cash_share": {"warning": 0.0}}).status == "warning"

    def test_four_times_the_own_money_is_a_breach_of_gross_exposure(self) -> None:
        assert check("gross_exposure", 4.0).status == "breach"

    def test_cash_alone_asks_for_no_attention(self) -> None:
        nothing = dict.fromkeys(NAMES) | {
            "largest_position": 0.0, "risk_concentration": 0.0, "gross_exposure": 0.0, "price_coverage": 0.0
        }  # fmt: skip

        found = checks(replace(JUDGED, values=nothing, reason="no_holdings", observations=None))

        assert {check.status for check in found.values()} == {"ok", "unknown"}
        assert found["effective_holdings"].message == (
            "The effective number of holdings is unknown: there are no holdings."
        )
        assert found["cash_share"].status == "unknown"

    def test_an_index_fund_as_the_only_holding_asks_for_no_attention(self) -> None:
        fund = FINE | {"largest_position": 0.0, "risk_concentration": 0.0, "effective_holdings": 20.0}

        found = checks(replace(JUDGED, values=fund, diversified_funds=True))

        assert {check.status for check in found.values()} == {"ok"}


class TestUnknown:
    @pytest.mark.parametrize("rule", [name for name in NAMES if name != "price_coverage"])
    @pytest.mark.parametrize("reason", [None, "no_holdings", "no_prices", "low_coverage", "incomplete_valuation"])
    def test_a_null_is_unknown_and_the_message_says_why(self, rule: str, reason: str | None) -> None:
        found = check(rule, None, judged=replace(JUDGED, reason=reason))

        warning = dict(zip(NAMES, THRESHOLDS, strict=True))[rule][1]
        assert (found.status, found.value, found.threshold) == ("unknown", None, warning)
        assert " is unknown: " in found.message
        assert len(found.message.split(": ", 1)[1]) > len("why.")

    def test_a_null_coverage_is_a_breach(self) -> None:
        found = check("price_coverage", None, judged=replace(JUDGED, complete=False, sized=False))

        assert (found.status, found.value, found.threshold) == ("breach", None, 0.1)
        assert found.message == (
            "The share of what is owned that the backtest leaves out is unknown: the size of a holding without a price "
            "is unknown, which counts as a breach."
        )

    def test_the_reason_of_the_report_explains_it(self) -> None:
        message = check("beta", None, judged=replace(JUDGED, reason="low_coverage")).message
        assert message.endswith(
            ": less than half of what is owned, or of the long or the short positions, has enough price history."
        )

    def test_too_few_days_for_a_value_at_risk_are_told_with_their_number(self) -> None:
        message = check("value_at_risk", None, judged=replace(JUDGED, observations=73)).message
        assert message.endswith(" is unknown: there are too few returns for it: 73.")


class TestIncompleteValuation:
    incomplete = replace(JUDGED, complete=False)

    @pytest.mark.parametrize("rule", WITH_ESTIMATES)
    def test_what_is_judged_with_estimates_says_so(self, rule: str) -> None:
        found = check(rule, FINE[rule], judged=self.incomplete)

        assert found.status == "ok"
        assert ", with estimates for holdings without a price, within the limit of " in found.message

    @pytest.mark.parametrize("rule", WITH_ESTIMATES)
    def test_an_unpriced_holding_of_unknown_size_makes_them_unknown(self, rule: str) -> None:
        found = check(rule, FINE[rule], judged=replace(self.incomplete, sized=False))

        assert (found.status, found.value) == ("unknown", None)
        assert found.message.endswith(" is unknown: the size of a holding without a price is unknown.")

    def test_the_concentration_of_risk_is_unknown(self) -> None:
        found = check("risk_concentration", 0.2, judged=self.incomplete)

        assert (found.status, found.value) == ("unknown", None)
        assert found.message.endswith("unknown: a holding has no price, and its share of the risk is unknown.")

    def test_the_figures_of_the_backtest_are_judged_as_ever(self) -> None:
        found = checks(self.incomplete)
        for rule in ("volatility", "drawdown", "value_at_risk", "beta", "correlation"):
            assert found[rule] == checks(JUDGED)[rule]


class TestMessages:
    def test_they_contain_the_value_and_the_threshold(self) -> None:
        assert check("effective_holdings", 3.0).message == (
            "The effective number of holdings is 3.0, at or below the breach threshold of 4.0."
        )
        assert check("largest_position", 0.2).message == (
            "The largest position is 20.0%, at or above the warning threshold of 15.0%."
        )
        assert check("gross_exposure", 1.0).message == "Gross exposure is 1.00, within the limit of 1.30."

    @pytest.mark.parametrize("rule", NAMES)
    def test_a_figure_of_the_backtest_is_called_one(self, rule: str) -> None:
        for value in (FINE[rule], None):
            message = check(rule, value).message
            assert message.startswith("In the backtest of today's holdings, ") == (rule in OF_THE_BACKTEST)

    def test_a_fall_of_the_backtest_is_not_told_as_one_that_the_person_had(self) -> None:
        assert check("drawdown", -0.3).message == (
            "In the backtest of today's holdings, the current drawdown is -30.0%, at or below the breach threshold of "
            "-30.0%."
        )

    def test_a_diversified_fund_counts_as_20_holdings_and_is_no_position(self) -> None:
        with_fund = replace(JUDGED, diversified_funds=True)

        assert check("effective_holdings", 20.0, judged=with_fund).message == (
            "The effective number of holdings is 20.0, counting a diversified fund as 20 holdings, within the limit of "
            "8.0."
        )
        assert check("largest_position", 0.0, judged=with_fund).message == (
            "The largest position is 0.0%, diversified funds apart, within the limit of 15.0%."
        )
        assert "diversified funds apart" in check("risk_concentration", 0.0, judged=with_fund).message
        assert "fund" not in check("effective_holdings", 20.0).message


class TestThresholds:
    def test_without_any_the_defaults_count(self) -> None:
        assert limits_of({}) == ({name: Limits(warning, breach) for name, warning, breach in THRESHOLDS}, ())

    def test_one_alone_is_paired_with_the_default_of_the_other(self) -> None:
        limits, notes = limits_of({"largest_position": {"breach": 0.5}, "drawdown": {"warning": -0.02}})

        assert (limits["largest_position"], limits["drawdown"]) == (Limits(0.15, 0.5), Limits(-0.02, -0.30))
        assert (limits["beta"], notes) == (Limits(1.3, 1.8), ())

    def test_those_of_the_user_decide(self) -> None:
        own = {"drawdown": {"warning": -0.02, "breach": -0.04}, "volatility": {"warning": 0.1}}

        assert check("drawdown", -0.05, own).status == "breach"
        assert check("volatility", 0.15, own).status == "warning"
        assert check("volatility", 0.15, own).message.endswith("at or above the warning threshold of 10.0%.")

    def test_equal_ones_are_allowed(self) -> None:
        own = {"beta": {"warning": 1.5, "breach": 1.5}, "effective_holdings": {"warning": 4.0}}

        limits, notes = limits_of(own)

        assert (limits["beta"], limits["effective_holdings"], notes) == (Limits(1.5, 1.5), Limits(4, 4), ())
        assert check("beta", 1.5, own).status == "breach"

    @pytest.mark.parametrize(
        ("rule", "own", "why"),
        [
            ("volatility", {"warning": math.nan, "breach": 0.5}, "one of them is no finite number"),
            ("volatility", {"breach": math.inf}, "one of them is no finite number"),
            ("largest_position", {"breach": -1e11}, "they must be above 0"),
            ("largest_position", {"warning": 0.0}, "they must be above 0"),
            ("volatility", {"breach": -1e11}, "the breach of -1e+11 is not at or above the warning of 0.25"),
            ("volatility", {"warning": 0.5}, "the breach of 0.4 is not at or above the warning of 0.5"),
            ("drawdown", {"breach": -0.1}, "the breach of -0.1 is not at or below the warning of -0.15"),
            ("effective_holdings", {"breach": 9.0}, "the breach of 9 is not at or below the warning of 8"),
        ],
    )
    def test_a_pair_that_makes_no_sense_leaves_its_rule_at_the_defaults_and_is_told(
        self, rule: str, own: dict[str, float], why: str
    ) -> None:
        limits, notes = limits_of({rule: own, "beta": {"warning": 1.0}})

        assert limits == dict(limits_of({})[0]) | {"beta": Limits(1.0, 1.8)}
        assert notes == (f"The thresholds of {rule} do not count: {why}.",)

    def test_names_that_do_not_exist_are_told(self) -> None:
        limits, notes = limits_of({"volatilty": {"warning": 0.1}, "beta": {"breach": 3.0, "warn": 1.0}})

        assert limits == dict(limits_of({})[0]) | {"beta": Limits(1.3, 3.0)}
        assert notes == (
            'The thresholds of "volatilty" do not count: there is no such rule.',
            'The threshold "warn" of beta does not count: there is no such threshold.',
        )
