"""Failures of prices: permanently for one symbol, or temporarily for all."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.moments import PLAN
from tests.faults.people import SYMBOLS, people
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures

BROKEN = SYMBOLS[3]


def garbage(file: Path) -> None:
    file.write_bytes(random.Random(7).randbytes(100_000))  # noqa: S311 - repeatable on purpose


def half_a_file(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: content.rindex(b"-", 0, len(content) // 2)])


def missing(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("breaking", "error_type"),
    [
        (garbage, "bad_prices"),
        (half_a_file, "bad_prices"),
        (empty, "bad_prices"),
        (missing, "missing_prices"),
        (a_folder, "missing_prices"),
    ],
)
def test_a_symbol_with_broken_prices_fails_by_name_and_no_report_is_lost(
    site: Site, breaking: Callable[[Path], None], error_type: str
) -> None:
    breaking(site.prices / f"{BROKEN}.csv")
    for _ in range(2):  # it fails each time: broken prices are never cached
        run = check(site, site.trigger(), states=("completed_with_errors",))
        assert (run["symbols"], run["symbols_failed"], run["users_failed"]) == (len(SYMBOLS), 1, 0)
        (error,) = run["errors"]
        assert (error["user_id"], error["error_type"]) == (None, error_type)
        assert error["error"].startswith(f"{BROKEN}: ")
    concerned = {p.user_id for p in people(len(site.user_ids)) if any(h.symbol == BROKEN for h in p.holdings)}
    for user_id, report in figures(site, run["run_id"]).items():
        assert report["data_quality"]["missing_symbols"] == ([BROKEN] if user_id in concerned else [])


def test_symbols_that_do_not_exist_on_one_watchlist_change_no_report_of_others(
    site: Site, undisturbed: Figures
) -> None:
    watching, *others = site.user_ids
    site.database.watchlist.insert_many({"user_id": watching, "symbol": f"NONE{number}"} for number in range(90))
    run = check(site, site.trigger(), states=("completed",))
    found = figures(site, run["run_id"])
    assert {user_id: found[user_id] for user_id in others} == {user_id: undisturbed[user_id] for user_id in others}
    assert "20 symbols that are only on watchlists have no prices" in site.log()


def test_a_user_whose_symbols_are_mostly_dead_is_analyzed_with_the_rest_in_a_run_of_that_user(site: Site) -> None:
    user_id = site.user_ids[0]
    site.database.holdings.insert_many(
        {"user_id": user_id, "symbol": f"DEAD{number}", "quantity": 1, "avg_price": 1} for number in range(9)
    )
    run = check(site, site.trigger(user_ids=[user_id]), planned=[user_id], states=("completed_with_errors",))
    assert (run["users_analyzed"], run["symbols_failed"]) == (1, 9)


@pytest.mark.parametrize("activity", ["plan_run", "load_prices"])
def test_a_temporarily_unavailable_source_of_prices_is_retried_and_the_run_completes(
    site: Site, undisturbed: Figures, activity: str
) -> None:
    if activity == "plan_run":
        site.hide_prices()
        run_id = site.trigger()
    else:
        with site.wire.holding(PLAN) as hold:
            run_id = site.trigger()
            hold.wait()
            site.hide_prices()
    site.wait_for_log(f"{activity}: failed: ProviderUnavailable")
    site.show_prices()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed
