import pytest

from analysis.checks import RULES, check_portfolio
from analysis.models import Check

FINE: dict[str, float | None] = {
    "largest_position": 0.1,
    "effective_holdings": 12.0,
    "risk_concentration": 0.2,
    "volatility": 0.15,
    "drawdown": -0.05,
    "value_at_risk": -0.01,
    "beta": 1.0,
    "correlation": 0.3,
    "cash_share": 0.1,
    "price_coverage": 0.0,
}
THRESHOLDS = [
    ("largest_position", 0.15, 0.25),
    ("effective_holdings", 8, 4),
    ("risk_concentration", 0.30, 0.50),
    ("volatility", 0.25, 0.40),
    ("drawdown", -0.15, -0.30),
    ("value_at_risk", -0.03, -0.05),
    ("beta", 1.3, 1.8),
    ("correlation", 0.6, 0.8),
    ("cash_share", 0.3, 0.6),
    ("price_coverage", 0.0, 0.1),
]
WITH_A_WARNING = [row for row in THRESHOLDS if row[0] != "price_coverage"]  # there, warning and breach are one


def check(
    rule: str, value: float | None, thresholds: dict[str, dict[str, float]] | None = None, reason: str | None = None
) -> Check:
    checks = check_portfolio({**FINE, rule: value}, thresholds or {}, reason)
    return next(check for check in checks if check.rule == rule)


def test_every_rule_is_checked_once_in_the_order_of_the_table() -> None:
    checks = check_portfolio(FINE, {}, None)

    assert [(rule.name, rule.warning, rule.breach) for rule in RULES] == THRESHOLDS
    assert [check.rule for check in checks] == [name for name, _, _ in THRESHOLDS]
    assert {check.status for check in checks} == {"ok"}
    assert [check.threshold for check in checks] == [warning for _, warning, _ in THRESHOLDS]


@pytest.mark.parametrize(("rule", "warning", "breach"), THRESHOLDS)
def test_a_value_exactly_at_the_breach_has_crossed_it(rule: str, warning: float, breach: float) -> None:
    assert warning != breach
    found = check(rule, breach)
    assert (found.status, found.value, found.threshold) == ("breach", breach, breach)


@pytest.mark.parametrize(("rule", "warning", "breach"), WITH_A_WARNING)
def test_a_value_exactly_at_the_warning_has_crossed_it(rule: str, warning: float, breach: float) -> None:
    assert warning != breach
    found = check(rule, warning)
    assert (found.status, found.value, found.threshold) == ("warning", warning, warning)


@pytest.mark.parametrize(("rule", "warning", "breach"), WITH_A_WARNING)
def test_a_value_just_before_a_threshold_has_not_crossed_it(rule: str, warning: float, breach: float) -> None:
    back = 1e-6 if warning < breach else -1e-6
    assert check(rule, warning - back).status == "ok"
    assert check(rule, breach - back).status == "warning"


def test_rounding_does_not_decide_whether_a_threshold_is_crossed() -> None:
    assert check("price_coverage", 1 - 0.9).status == "breach"
    assert check("volatility", 0.1 + 0.2, {"volatility": {"warning": 0.3, "breach": 0.4}}).status == "warning"
    assert check("volatility", 0.3 - 1e-16, {"volatility": {"warning": 0.3, "breach": 0.4}}).status == "warning"


def test_full_price_coverage_is_ok_and_any_gap_in_it_a_warning() -> None:
    assert check("price_coverage", 0.0).status == "ok"
    assert check("price_coverage", 0.001).status == "warning"
    assert check("price_coverage", 0.001).threshold == 0


def test_zero_is_at_a_threshold_of_zero_as_any_value_is() -> None:
    assert check("drawdown", 0.0, {"drawdown": {"warning": 0.0}}).status == "warning"
    assert check("cash_share", 0.0, {"cash_share": {"warning": 0.0}}).status == "warning"


def test_a_user_s_own_thresholds_replace_the_defaults_one_by_one() -> None:
    own = {"largest_position": {"breach": 0.5}, "drawdown": {"warning": -0.02, "breach": -0.04}}

    position = check("largest_position", 0.3, own)
    assert (position.status, position.threshold) == ("warning", 0.15)
    assert check("drawdown", -0.05, own).status == "breach"
    assert check("volatility", 0.3, own).status == "warning"


@pytest.mark.parametrize("rule", [name for name, _, _ in THRESHOLDS])
@pytest.mark.parametrize("reason", [None, "no_holdings", "no_prices", "low_coverage", "undefined_weights"])
def test_an_unknown_value_is_a_warning_with_its_reason(rule: str, reason: str | None) -> None:
    found = check(rule, None, reason=reason)

    assert (found.status, found.value) == ("warning", None)
    assert " is unknown: " in found.message
    assert len(found.message.split(": ")[1]) > len("why.")


def test_the_reason_of_the_report_explains_an_unknown_value() -> None:
    assert "less than half of the market value" in check("beta", None, reason="low_coverage").message


def test_a_message_contains_the_value_and_the_threshold() -> None:
    assert check("volatility", 0.3).message == "Annual volatility is 30.0%, at or above the warning threshold of 25.0%."
    assert check("effective_holdings", 3.0).message == (
        "The effective number of holdings is 3.0, at or below the breach threshold of 4.0."
    )
    assert check("beta", 1.0).message == "Absolute beta is 1.00, within the limit of 1.30."
