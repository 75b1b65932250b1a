"""What the tests of reports ask of one."""

from analysis.models import Check, DataQuality, Performance, Report, Risk, Valuation


def check(report: Report, rule: str) -> Check:
    return next(check for check in report.checks if check.rule == rule)


def quality(report: Report) -> DataQuality:
    assert report.data_quality is not None
    return report.data_quality


def valuation(report: Report) -> Valuation:
    assert report.valuation is not None
    return report.valuation


def performance(report: Report) -> Performance:
    assert report.performance is not None
    return report.performance


def risk(report: Report) -> Risk:
    assert report.risk is not None
    return report.risk


def orders_refused(report: Report) -> str | None:
    assert report.order_plan is not None
    return report.order_plan.reason
