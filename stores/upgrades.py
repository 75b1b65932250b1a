"""Stored documents of older versions of this app, in the form of today.

Judgments and figures stay what they were: ``schema_version`` says by which rules they came about.
"""

from typing import Any

from analysis.models import SECTIONS, HoldingReport
from stores.mongo import Document

_NEW_KINDS = {"jumps": "jump"}


def report_of_today(report: Document) -> Document:
    """Return a stored report with every member of today; one of today is returned as it is.

    Before returns and income there was one currency, and no other was told from it.

    Version 1 had no ``schema_version``. It left out holdings that could not be read, and required a positive purchase
    price of all others. An episode's return rested on the same holdings as the rest.
    """
    if "schema_version" in report:
        return report if "returns" in report else _in_one_currency(report)
    reason = report["reason"]
    absent = {name: reason for name in SECTIONS if name in report and report[name] is None} if reason else {}
    quality = _quality(report["data_quality"])
    holdings = [
        *[_holding(holding, report["currency"]) for holding in report["holdings"] or ()],
        *[_unreadable(holding, report) for holding in (quality["invalid_holdings"] if quality else ())],
    ]
    upgraded = report | {
        "schema_version": 1,
        "reasons": absent,
        "valuation": _valuation(report["valuation"], holdings),
        "holdings": holdings if report["status"] == "analyzed" else report["holdings"],
        "risk": report["risk"] and {**report["risk"], "risk_free_rate": None},
        "performance": report["performance"] and {"basis": "current_holdings"} | report["performance"],
        "stress": report["stress"] and [_stress(entry, quality) for entry in report["stress"]],
        "decisions": [
            {**decision, "strength": decision["confidence"], "signal_since": None}
            for decision in report["decisions"] or ()
        ],
        "order_plan": report["order_plan"] and {**report["order_plan"], "reason": None},
        "data_quality": quality,
    }
    return _in_one_currency(upgraded)


def _in_one_currency(report: Document) -> Document:
    """Return a report of before the base currencies of users, with the members that came with them."""
    holdings, quality = report["holdings"] or (), report["data_quality"]
    invalid = [{**holding, "currency": None} for holding in quality["invalid_holdings"]] if quality else []
    why = "earlier_version" if report["status"] == "analyzed" else report["reason"]
    return report | {
        "reasons": report["reasons"] | dict.fromkeys(("returns", "income"), why),
        "holdings": [
            {**holding, "fx_rate": 1.0, "market_value_local": holding["market_value"]} for holding in holdings
        ],
        "data_quality": quality and quality | {"invalid_holdings": invalid},
        "currency_exposure": [{"currency": report["currency"], "share": 1.0}] if report["valuation"] else [],
        "returns": None,
        "income": None,
    }


def summary_of_today(summary: Document) -> Document:
    """Return a stored summary of a report with every member of today."""
    return {"unknowns": 0, "complete": None} | summary


def run_of_today(run: Document) -> Document:
    """Return the stored record of a run, or members of it, with the price issues of today."""
    if "price_issues" not in run:
        return run
    return run | {"price_issues": [issue_of_today(issue) for issue in run["price_issues"]]}


def issue_of_today(issue: Document) -> Document:
    """Return a stored price issue, of a run, report or history, with every member of today."""
    if "first" not in issue:
        return issue
    kept = {name: value for name, value in issue.items() if name not in ("first", "days")}
    kind = _NEW_KINDS.get(issue["kind"], issue["kind"])
    return kept | {"kind": kind, "date": issue["first"], "ratio": None, "count": issue["days"], "days": None}


def _holding(holding: Document, currency: str) -> Document:
    research = holding.get("research")
    return {
        **holding,
        "currency": currency,
        "cost_basis": holding["quantity"] * holding["avg_price"],
        "reason": "missing_price" if holding["price"] is None else None,
        "research": research and {"signal_since": None, **research},
    }


def _unreadable(holding: Document, report: Document) -> Document:
    known = {"symbol": holding["symbol"], "currency": report["currency"], "reason": "invalid"}
    return dict.fromkeys(HoldingReport.__struct_fields__) | known


def _valuation(valuation: Document | None, holdings: list[Document]) -> Document | None:
    if valuation is None:
        return None
    unpriced = [holding for holding in holdings if holding["reason"] is not None]
    cost = sum(abs(holding["cost_basis"]) for holding in unpriced if holding["cost_basis"] is not None)
    return {**valuation, "unpriced_cost": float(cost), "complete": not unpriced}


def _stress(entry: Document, quality: Document | None) -> Document:
    known: Any = quality["coverage"] if quality and entry["return"] is not None else None
    return {**entry, "coverage": known}


def _quality(quality: Document | None) -> Document | None:
    if quality is None:
        return None
    return {
        **quality,
        "young_symbols": [],
        "unknown_cost_symbols": [],
        "invalid_holdings": [
            {"quantity": None, "avg_price": None, **holding} for holding in quality["invalid_holdings"]
        ],
        "price_issues": [issue_of_today(issue) for issue in quality["price_issues"]],
    }
