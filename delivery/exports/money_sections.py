"""The sections about what a person really earned, by the transactions."""

from delivery.exports.digits import day, money, month, percent, signed_percent, whole_percent
from delivery.exports.sections import Cell, Column, Json, Section, facts, number, on, sentences, text
from delivery.exports.words import ISSUES, PERIODS, worded

_PERCENT, _AMOUNT, _CHANGE, _COST = "percent", "amount", "change", "cost"


def _statement(returns: Json) -> list[tuple[str, str, str]]:
    """Return the label, the name and the kind of each figure of a period."""
    account = returns["basis"] == "account"
    return [
        ("Time-weighted", "twr", _PERCENT),
        ("Time-weighted, a year", "twr_annualized", _PERCENT),
        ("Money-weighted", "mwr", _PERCENT),
        ("Modified Dietz", "dietz", _PERCENT),
        ("Value at the start", "start_value", _AMOUNT),
        ("Paid in, less paid out" if account else "Bought, less sold", "net_flows", _CHANGE),
        ("Prices", "price_gain", _CHANGE),
        ("Income", "income", _CHANGE),
        ("Currencies", "fx_gain", _CHANGE),
        ("Fees", "fees", _COST),
        ("Taxes", "taxes", _COST),
        ("Not explained", "residual", _CHANGE),
        ("Value at the end", "end_value", _AMOUNT),
        ("Same money in the benchmark", "benchmark_same_flows", _AMOUNT),
        ("Largest drawdown", "max_drawdown", _PERCENT),
        ("Volatility", "annual_volatility", _PERCENT),
    ]


def _figure(value: float | None, kind: str, currency: str) -> Cell:
    if kind == _PERCENT:
        return number(value, percent)
    shown = 0 - value if kind == _COST and value is not None else value
    return Cell(value, money(shown, currency, signed=kind != _AMOUNT))


def earned(report: Json) -> list[Section]:
    """Return the returns by period, the contributions of symbols, and the issues of the transactions."""
    returns = report.get("returns")
    if not returns:
        return []
    currency, periods = report["currency"], returns["periods"]
    columns = [Column("Figure"), *(Column(PERIODS[period["period"]], numeric=True) for period in periods)]
    rows = [[text("From"), *(on(period["start"]) for period in periods)]]
    rows += [
        [text(label), *(_figure(period[name], kind, currency) for period in periods)]
        for label, name, kind in _statement(returns)
    ]
    note = f"What was really earned, up to {day(report['as_of'])}, all amounts in {currency}"
    of_symbols = [
        [
            text(part["period"], PERIODS[part["period"]]),
            text(part["symbol"], part["symbol"] or "Cash"),
            Cell(part["gain"], money(part["gain"], currency, signed=True)),
            number(part["share"], whole_percent),
            number(part["contribution"], signed_percent),
        ]
        for part in returns["contributions"]
    ]
    of_contributions = [
        Column("Period"),
        Column("Symbol"),
        *(Column(label, numeric=True) for label in ("Gain", "Share of gain", "Contribution")),
    ]
    issues = [
        [text(issue["kind"], worded(ISSUES, issue["kind"])), on(issue["date"]), text(issue["text"])]
        for issue in returns["issues"]
    ]
    of_issues = [Column("Issue"), Column("Date"), Column("Text", wide=True)]
    return [
        Section("By period", columns, rows, note),
        *([Section("Contributions", of_contributions, of_symbols)] if of_symbols else []),
        *([Section("Issues of the transactions", of_issues, issues)] if issues else []),
        *sentences("Notes on returns", returns.get("notes", ())),
    ]


def income(report: Json) -> list[Section]:
    """Return dividends and interest."""
    found = report.get("income")
    if not found:
        return []
    currency = report["currency"]

    def paid(value: float) -> Cell:
        return Cell(value, money(value, currency))

    rows = [
        ("Last twelve months", paid(found["trailing_12m"])),
        ("Next twelve months", paid(found["next_12m"])),
        ("Yield on value", number(found["yield_on_value"], percent)),
        ("Yield on cost", number(found["yield_on_cost"], percent)),
    ]
    months = [[text(each["month"], month(each["month"])), paid(each["amount"])] for each in found["by_month"]]
    symbols = [
        [
            text(each["symbol"], each["symbol"] or "Cash"),
            paid(each["amount"]),
            number(each["yield_on_value"], percent),
            number(each["yield_on_cost"], percent),
        ]
        for each in sorted(found["by_symbol"], key=lambda each: -each["amount"])
    ]
    of_symbols = [
        Column("Symbol"),
        *(Column(label, numeric=True) for label in ("Amount", "On value", "On cost")),
    ]
    return [
        facts("Income", rows),
        *([Section("Income by month", [Column("Month"), Column("Amount", numeric=True)], months)] if months else []),
        *([Section("Income by symbol", of_symbols, symbols)] if symbols else []),
    ]
