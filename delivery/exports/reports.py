"""A report as sections. Every form of file is made of these, so all have the same labels and figures."""

from delivery.exports.advice_sections import advice, quality
from delivery.exports.analysis_sections import checks, currencies, holdings, risk, worth
from delivery.exports.money_sections import earned, income
from delivery.exports.sections import Column, Document, Json, Section, facts, on, text
from delivery.exports.words import REASONS, REPORT_STATUS, worded

_PARTS = (worth, checks, holdings, currencies, risk, earned, income, advice, quality)


def document_of(report: Json) -> Document:
    """Return the content of a report, given as its JSON."""
    rows = [
        ("User", text(report["user_id"])),
        ("As of", on(report["as_of"])),
        ("Status", text(report["status"], worded(REPORT_STATUS, report["status"]))),
        ("Amounts in", text(report["currency"])),
        ("Run", text(report["run_id"])),
    ]
    if report.get("reason"):
        rows.append(("Reason", text(report["reason"], worded(REASONS, report["reason"]))))
    if report.get("error"):
        rows.append(("Error", text(report["error"])))
    reasons = [
        [text(name, name.replace("_", " ").capitalize()), text(reason, worded(REASONS, reason))]
        for name, reason in (report.get("reasons") or {}).items()
    ]
    missing = [Section("Not available", [Column("Section"), Column("Reason", wide=True)], reasons)] if reasons else []
    sections = [facts("Report", rows), *(section for part in _PARTS for section in part(report)), *missing]
    return Document(report["user_id"], report["as_of"], sections)
