"""Labels, the same as the console's (``console/src/words``); a test compares them."""

RULES = {
    "largest_position": "Largest position",
    "effective_holdings": "Effective holdings",
    "risk_concentration": "Risk concentration",
    "gross_exposure": "Gross exposure",
    "volatility": "Volatility",
    "drawdown": "Drawdown",
    "value_at_risk": "Value at risk",
    "beta": "Beta",
    "correlation": "Correlation",
    "cash_share": "Cash share",
    "price_coverage": "Price coverage",
    "currency_exposure": "Currency exposure",
}
SCENARIOS = {
    "worst_day": "Worst day",
    "worst_5_days": "Worst week (5 days)",
    "worst_21_days": "Worst month (21 days)",
    "market_-10": "Market falls 10%",
    "market_-20": "Market falls 20%",
    "market_-30": "Market falls 30%",
    "global_financial_crisis": "Financial crisis 2008\N{EN DASH}2009",
    "covid_crash": "Covid crash 2020",
    "inflation_bear_2022": "Inflation bear market 2022",
}
REASONS = {
    "low_coverage": (
        "Too little of what is owned, or of one side of it, has enough recent price history for figures based on "
        "returns."
    ),
    "incomplete_valuation": "Holdings without a price weigh too much for figures based on returns.",
    "undefined_weights": (
        "The holdings with enough price history cancel out, so figures based on returns are not available."
    ),
    "no_holdings": "The portfolio has no holdings.",
    "no_prices": "None of the holdings has a price.",
    "non_positive_value": ("The total value of holdings and cash is zero or negative, so weights are not available."),
    "non_finite_value": "The values are too large to calculate with.",
}
UNPRICED = {"invalid": "cannot be read", "missing_fx_rate": "no exchange rate", "missing_price": "no price"}
CHECK_STATUS = {"ok": "OK", "unknown": "Unknown", "warning": "Warning", "breach": "Breach"}
REPORT_STATUS = {"analyzed": "Analyzed", "skipped": "Skipped", "failed": "Failed"}
ACTIONS = {"BUY": "Buy", "SELL": "Sell", "HOLD": "Hold"}
SKIPPED = {
    "less_than_one_lot": "Less than one lot",
    "less_than_one_share": "Less than one share",
    "lower_score": "Lower score than the others",
    "no_cash": "No cash left",
    "no_buying_power": "No buying power",
    "stale_price": "Stale price",
    "no_price": "No price",
    "too_many_shares": "Too many shares",
}
PERIODS = {
    "1m": "1 month",
    "3m": "3 months",
    "ytd": "Year to date",
    "1y": "1 year",
    "3y": "3 years",
    "5y": "5 years",
    "since": "Since the start",
}
ISSUES = {
    "amount_mismatch": "Amount does not fit",
    "duplicate_id": "Entered twice",
    "future_transaction": "In the future",
    "negative_position": "Sold more than held",
    "unexplained_cash": "Cash is missing",
    "opening_position": "Owned before the first transaction",
    "missing_price": "No price",
    "missing_fx_rate": "No exchange rate",
    "unknown_type": "Unknown type",
    "unreadable": "Cannot be read",
    "lot_not_found": "Chosen shares not found",
    "prices_already_adjusted": "Prices include dividends",
    "corporate_action_pending": "Split not booked yet",
}


def worded(words: dict[str, str], name: str | None) -> str:
    """Return the words for a name, or the name in words of its own; nothing for none."""
    return "" if name is None else words.get(name, name.replace("_", " "))
