"""The output of the demo for documents of the API, in a file of 80 columns."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import bson
import msgspec
import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from analysis.models import Report
from analysis.price_issues import symbol_issue
from devhost.demo_advice import render_order_plan
from devhost.demo_portfolio import render_portfolio
from devhost.demo_report import progress_of, remarks, render_portfolios, render_remarks, render_run
from devhost.formats import count, money, number, percent, percent_of_hundred, seconds, words
from records import Metrics, PriceIssue, Progress, Run, RunError, RunStatus, Trigger
from stores.lines import line_of
from tests.builders import (
    PortfolioBuilder,
    a_portfolio,
    a_research,
    a_table,
    analyze,
    bars,
    document_of,
    random_walk,
    weekdays,
)

DAYS = weekdays(400, "2021-01-01")
AS_OF = DAYS[-1].item()
MARKET = random_walk(DAYS, seed=1)
TABLE = a_table(
    {
        "UP": random_walk(DAYS, seed=2),
        "DOWN": random_walk(DAYS, seed=3),
        "STALE": random_walk(DAYS[:-30], seed=4),
        "YOUNG": random_walk(DAYS[-20:], seed=5),
        "FLAT": bars(DAYS, 10.0),
    },
    MARKET,
)


def document(record: object) -> dict[str, Any]:
    """Return a record in the form of the API."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record))
    return decoded


def report_on(portfolio: PortfolioBuilder, scores: Mapping[str, float] | None = None) -> dict[str, Any]:
    research = [a_research(symbol, score) for symbol, score in (scores or {}).items()]
    report = analyze(TABLE, portfolio, research=research)[0]
    return document(bson.decode(bson.encode(document_of(report, research))))


def a_run(status: RunStatus = "completed", **members: Any) -> dict[str, Any]:  # noqa: ANN401 - any member of a run
    requested = datetime(2026, 1, 5, 1, tzinfo=UTC)
    trigger = Trigger("http", "admin-secret")
    return document(
        Run(run_id="run_20260105_010000_abcd", status=status, trigger=trigger, requested_at=requested, **members)
    )


def printed(thing: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(thing)
    return capture.get()


def line_with(text: str, output: str) -> str:
    (line,) = [line for line in output.splitlines() if text in line]
    return " ".join(line.strip("│ ").split())


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (money(1234567.891), "1,234,567.89"),
        (money(-1234.5), "-1,234.50"),
        (money(12.5, sign=True), "+12.50"),
        (percent(0.0523), "5.2%"),
        (percent(-0.2, sign=True), "-20.0%"),
        (percent(-0.0001), "0.0%"),
        (percent(0.0, sign=True), "0.0%"),
        (percent_of_hundred(12.34), "+12.3%"),
        (number(-0.456), "-0.46"),
        (count(1260), "1,260"),
        (count(3.14159), "3.1416"),
        (count(12345678), "12,345,678"),
        (seconds(0.256), "0.26 s"),
        (words("2020-02-19"), "2020-02-19"),
    ],
)
def test_figures_are_formatted(shown: Text, text: str) -> None:
    assert shown.plain == text


@pytest.mark.parametrize("shape", [money, percent, percent_of_hundred, number, count, seconds, words])
def test_an_undefined_figure_is_a_dash(shape: Callable[[None], Text]) -> None:
    assert shape(None).plain == "-"


def test_losses_are_red_and_zero_after_rounding_is_not() -> None:
    assert percent(-0.01).style == "red"
    assert percent(-0.0001).style == ""
    assert percent(0.01).style == ""


@pytest.mark.parametrize(
    ("progress", "share", "label"),
    [
        (Progress("queued"), 0, "Waiting to start"),
        (Progress("market_data", 0, 5), 2 / 6, "Fetching prices"),
        (Progress("analyze", 0, 5), 4 / 6, "Analyzing portfolios, page 1 of 5"),
        (Progress("analyze", 4, 5), 4.8 / 6, "Analyzing portfolios, page 5 of 5"),
        (Progress("analyze", 5, 5), 5 / 6, "Analyzing portfolios, page 5 of 5"),
        (Progress("analyze", 0, 0), 4 / 6, "Analyzing portfolios"),
        (Progress("done", 5, 5), 1, "Done"),
    ],
)
def test_progress_goes_by_phase_and_page(progress: Progress, share: float, label: str) -> None:
    shown_share, shown_label = progress_of(a_run(progress=progress))
    assert shown_share == pytest.approx(share)
    assert shown_label == label


def test_a_run_is_shown_with_counts_and_durations() -> None:
    run = a_run(
        status="completed_with_errors",
        as_of=date(2022, 12, 28),
        users_to_analyze=1_024,
        users_analyzed=1_021,
        users_skipped=1,
        users_failed=2,
        symbols=21,
        symbols_failed=1,
        metrics=Metrics(total_duration_seconds=2.5, plan_duration_seconds=0.5),
    )
    output = printed(render_run(run))
    assert line_with("Outcome", output) == "Outcome completed with errors"
    assert line_with("Users", output) == "Users 1,024 planned: 1,021 analyzed, 1 skipped, 2 failed"
    assert line_with("Symbols", output) == "Symbols 21 (1 held without prices)"
    assert line_with("Prices as of", output) == "Prices as of 2022-12-28"
    assert line_with("Duration", output) == "Duration 2.50 s"
    assert line_with("planning", output) == "planning 0.50 s"


def test_prices_of_long_ago_are_said_to_be_the_samples_beside_their_date() -> None:
    run = a_run(as_of=date(2022, 12, 28), price_issues=[symbol_issue(None, PriceIssue("old_prices", days=1_021))])
    told = "Prices as of 2022-12-28 (long ago: the sample ends there on purpose)"
    assert line_with("Prices as of", printed(render_run(run))) == told
    report = report_on(a_portfolio().holding("UP", 1))
    assert "Prices as of" not in printed(render_portfolio(report))
    report["data_quality"]["price_issues"] += run["price_issues"]
    report["as_of"] = "2022-12-28"
    assert line_with("Prices as of", printed(render_portfolio(report))) == told


def test_a_run_that_failed_early_can_be_shown() -> None:
    output = printed(render_run(a_run(status="failed")))
    assert line_with("Outcome", output) == "Outcome failed"
    assert line_with("Prices as of", output) == "Prices as of -"


def test_every_portfolio_is_a_line_with_its_figures() -> None:
    good = analyze(TABLE, a_portfolio("good").holding("UP", 10).holding("DOWN", 20))[0]
    part = analyze(TABLE, a_portfolio("part").holding("UP", 10).holding("NONE", 1))[0]
    bad = Report("run", "bad", AS_OF, "USD", "failed", "invalid_account", error="The account cannot be read")
    output = printed(render_portfolios([document(line_of(report).summary) for report in (good, part, bad)]))
    assert good.valuation
    assert good.risk
    shown = line_with("good", output).split()
    assert shown[:3] == ["good", "analyzed", f"{good.valuation.market_value:,.2f}"]
    assert f"{good.risk.annual_volatility:.1%}" in shown
    assert part.valuation
    shown = line_with("part", output).split()
    assert shown[:3] == ["part", "incomplete", f"{part.valuation.market_value:,.2f}"]
    assert int(shown[-1]) == sum(check.status == "unknown" for check in part.checks or ()) > 0
    assert line_with("bad", output).split() == ["bad", "failed", *"-------"]


AWKWARD: Mapping[str, tuple[PortfolioBuilder, str]] = {
    "no holdings": (a_portfolio().watching("UP").cash(10), "no holdings"),
    "one holding": (a_portfolio().holding("UP", 1), "single holding: UP"),
    "short": (a_portfolio().holding("UP", 9).holding("DOWN", -1), "short position in DOWN"),
    "fractions": (a_portfolio().holding("UP", 0.5).holding("DOWN", 2), "fractional shares of UP"),
    "missing": (a_portfolio().holding("UP", 1).holding("NONE", 1), "no price for NONE"),
    "all missing": (
        a_portfolio().holding("A", 1).holding("B", 1).cash(1),
        "none of the holdings has a price; no price for A, B",
    ),
    "stale": (a_portfolio().holding("UP", 9).holding("STALE", 1), "stale price for STALE"),
    "young": (a_portfolio().holding("UP", 9).holding("YOUNG", 1), "short price history for YOUNG"),
    "mostly stale": (
        a_portfolio().holding("UP", 1).holding("STALE", 90),
        "too little price history for figures based on returns; stale price for STALE",
    ),
    "left out": (
        a_portfolio().holding("UP", 9).holding("DOWN", 1).invalid_holding("ODD", "quantity is text"),
        "ODD unreadable: quantity is text",
    ),
    "gift": (a_portfolio().holding("UP", 9, 0.0).holding("DOWN", 1), "bought for nothing: UP"),
    "unknown cost": (a_portfolio().holding("UP", 9, None).holding("DOWN", 1), "cost unknown of UP"),
    "debts": (
        a_portfolio().holding("UP", 9).holding("DOWN", 1).cash(-1e6),
        "the total value is zero or negative, so weights are not available",
    ),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_each_awkward_portfolio_is_explained(name: str) -> None:
    portfolio, explanation = AWKWARD[name]
    assert "; ".join(remarks(report_on(portfolio))) == explanation


def test_an_ordinary_portfolio_needs_no_explanation() -> None:
    assert remarks(report_on(a_portfolio().holding("UP", 1).holding("DOWN", 2).cash(5))) == []


def test_a_failed_portfolio_is_explained_by_its_error() -> None:
    failed = Report("run", "u", AS_OF, "USD", "failed", "invalid_account", error="cash is not a number")
    assert remarks(document(failed)) == ["cash is not a number"]


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    unknown = Report("run", "u", AS_OF, "USD", "skipped", "some_new_reason")
    assert remarks(document(unknown)) == ["some new reason"]


def test_users_not_planned_and_symbols_without_prices_have_their_lines() -> None:
    run = a_run(errors=(RunError(None, "missing_prices", "NONE: no prices"), RunError("u1", "x", "in its report")))
    others = a_run(errors=(RunError("gone", "unknown_user", "There is no active user of this id."),))
    output = printed(render_remarks(run, [report_on(a_portfolio("u1").holding("UP", 1))], others))
    assert line_with("u1", output) == "u1 analyzed single holding: UP"
    assert line_with("gone", output) == "gone not planned There is no active user of this id."
    assert line_with("NONE", output) == "missing prices NONE: no prices"
    assert "in its report" not in output


def test_a_whole_portfolio_shows_every_part() -> None:
    report = report_on(a_portfolio("ann").holding("UP", 10, 90).holding("DOWN", 1234).cash(1_000))
    output = printed(render_portfolio(report))
    assert f"Report for ann as of {AS_OF}, in USD" in output
    parts = (
        "Valuation",
        "Backtest",
        "Risk (backtest)",
        "Tail risk",
        "Diversification",
        "Holdings",
        "Stress tests",
        "Checks",
        "Decisions",
    )
    for part in (*parts, "Order plan (not sent)", "Data quality"):
        assert f" {part} " in output
    assert f"{report['valuation']['market_value']:,.2f}" in output
    assert f"{100 * report['risk']['max_drawdown']:.1f}%" in output
    held = {holding["symbol"]: holding for holding in report["holdings"]}
    assert line_with("│ DOWN ", output).split()[:3] == ["DOWN", "1,234", f"{held['DOWN']['price']:,.2f}"]
    text = " ".join(output.replace("│", "").split())
    for check in report["checks"]:
        assert f"{check['status']} {check['message']}" in text
    assert "The backtest stands for 100.0% of what is owned " in output
    since = report["performance"]["start"]
    hypothetical = f"Hypothetical: backtest, risk and stress tests are of today's holdings, held since {since}."
    assert hypothetical in text
    assert "Incomplete" not in output


def test_a_portfolio_that_is_not_valued_in_whole_says_what_is_left_out_and_why_nothing_is_ordered() -> None:
    report = report_on(a_portfolio().holding("UP", 10).holding("NONE", 5, 1_000.0))
    output = printed(render_portfolio(report))
    assert line_with("Incomplete", output) == ("Incomplete: no price for NONE. No total includes what has no price.")
    assert line_with("Cost without a price", output).split()[4] == "5,000.00"
    assert report["order_plan"]["notes"]
    for note in report["order_plan"]["notes"]:
        assert note in output


def test_undefined_figures_are_explained() -> None:
    report = report_on(a_portfolio().holding("UP", 10))
    output = " ".join(printed(render_portfolio(report)).replace("│", "").split())
    assert report["data_quality"]["notes"]
    for note in report["data_quality"]["notes"]:
        assert note in output


def test_each_stress_scenario_is_shown_with_its_loss() -> None:
    report = report_on(a_portfolio().holding("UP", 10).cash(1_000))
    output = printed(render_portfolio(report))
    stress = {entry["scenario"]: entry for entry in report["stress"]}
    worst = stress["worst_21_days"]
    assert line_with("Worst 21 days", output) == (
        f"Worst 21 days {100 * worst['return']:.1f}% {worst['loss']:,.2f} 100.0%"
    )
    assert line_with("Global financial crisis", output) == "Global financial crisis, 2008-2009 - - -"


def test_decisions_to_buy_or_sell_are_explained_and_the_others_listed() -> None:
    portfolio = a_portfolio().holding("UP", 1).holding("DOWN", 1).watching("YOUNG").cash(1_000)
    report = report_on(portfolio, {"UP": 0.6, "DOWN": -0.6})
    output = printed(render_portfolio(report))
    assert line_with("│ BUY ", output).startswith("BUY UP 6/10 Buy for 10% of the buying power:")
    assert line_with("│ HOLD ", output) == "HOLD YOUNG"


def test_an_order_plan_shows_every_order_and_why_some_are_skipped() -> None:
    portfolio = a_portfolio().holding("DOWN", 100).watching("UP", "YOUNG").cash(100_000).buying_power(1e4)
    report = report_on(portfolio, {"UP": 0.6, "DOWN": -0.6, "YOUNG": 0.9})
    output = printed(render_order_plan(report["order_plan"]))
    sell, *_ = report["order_plan"]["orders"]
    assert line_with("SELL", output) == (
        f"1 SELL DOWN 50 {sell['estimated_price']:,.2f} {sell['estimated_cost']:,.2f} 50.00"
    )
    assert f"Sell proceeds {sell['estimated_cost']:,.2f}, buy cost " in output

    poor = report_on(a_portfolio().holding("DOWN", 1).watching("UP"), {"UP": 0.6})
    assert "less than one lot" in printed(render_order_plan(poor["order_plan"]))


def test_the_largest_holding_comes_first_also_when_it_is_short() -> None:
    report = report_on(a_portfolio().holding("UP", 10).holding("DOWN", -500).cash(1e6))
    output = printed(render_portfolio(report))
    assert output.index("DOWN ") < output.index("UP ")


def test_a_portfolio_without_figures_based_on_returns_can_be_shown() -> None:
    output = printed(render_portfolio(report_on(a_portfolio().holding("STALE", 90).holding("NONE", 1))))
    output = " ".join(output.replace("│", "").split())
    assert "not available" in output
    assert "no price: NONE; stale price: STALE" in output


def test_undefined_figures_of_a_flat_price_are_dashes() -> None:
    output = printed(render_portfolio(report_on(a_portfolio().holding("FLAT", 1))))
    assert " nan " not in output.lower()
    assert "None" not in output


def test_a_file_of_80_columns_gets_no_longer_lines_and_no_control_characters() -> None:
    wide = a_portfolio("a-rather-long-user-name").holding("UP", 123_456.75, 1.0).holding("DOWN", -9_999)
    report = report_on(wide.cash(1e7).watching("YOUNG").buying_power(1e9), {"UP": 0.9, "DOWN": 0.7, "YOUNG": 0.8})
    summaries = [document(line_of(analyze(TABLE, wide.cash(1e7))[0]).summary)]
    for thing in (render_portfolio(report), render_portfolios(summaries), render_run(a_run())):
        output = printed(thing)
        assert max(map(len, output.splitlines())) <= 80
        assert "…" not in output
        assert output.replace("\n", "").isprintable()
