"""The money-weighted return, against pyxirr and by its own equation."""

from datetime import date, timedelta

import numpy as np
import pytest
import pyxirr

from analysis.models import Floats
from analysis.returns.money_weighted import CashFlows, internal_rates, joined
from tests.analysis.returns.arranged import a_person, a_world, since, weeks


def flows_of(*problems: list[tuple[float, float]]) -> CashFlows:
    """Return problems of (days, amount)."""
    counts = [len(own) for own in problems]
    flat = [flow for own in problems for flow in own]
    return CashFlows(
        first=np.cumsum(counts) - counts,
        years=np.array([days for days, _ in flat]) / 365,
        amount=np.array([amount for _, amount in flat], dtype=np.float64),
        problem=np.repeat(np.arange(len(counts)), counts),
    )


def rates(flows: CashFlows, *guesses: float) -> Floats:
    with np.errstate(all="ignore"):
        return np.expm1(internal_rates(flows, np.log1p(np.array(guesses, dtype=np.float64))))


def test_random_savings_plans_agree_with_pyxirr() -> None:
    random = np.random.default_rng(1)
    problems = []
    for _ in range(300):
        days = np.unique(random.integers(0, 3_000, random.integers(2, 40)))
        amounts = random.choice([-1.0, -1.0, -1.0, 0.3], len(days)) * random.uniform(10, 1_000, len(days))
        amounts[0] = -500
        amounts[-1] = -amounts[:-1].sum() * random.uniform(0.5, 2)
        problems.append(list(zip(days.tolist(), amounts.tolist(), strict=True)))
    begin = date(2010, 1, 1)
    problems = [own for own in problems if len(own) > 1 and own[-1][1] > 0]
    theirs = [pyxirr.xirr([begin + timedelta(d) for d, _ in own], [amount for _, amount in own]) for own in problems]
    expected = np.array(theirs, dtype=np.float64)
    ours = rates(flows_of(*[[(d - own[0][0], a) for d, a in own] for own in problems]), *expected.tolist())
    assert len(problems) > 250
    assert ours == pytest.approx(np.where(expected <= 100, expected, np.nan), rel=1e-7, abs=1e-9, nan_ok=True)


def test_two_roots_the_nearest_to_the_guess_counts() -> None:
    # -100 + 230 v - 132 v^2 = 0 has the rates 10 % and 20 %.
    both = [(0.0, -100.0), (365.0, 230.0), (730.0, -132.0)]
    assert rates(flows_of(both, both, both), 0.0, 1.0, 0.16) == pytest.approx([0.1, 0.2, 0.2], abs=1e-9)


def test_three_roots_of_which_one_is_a_loss() -> None:
    # (x - 0.5)(x - 1.1)(x - 1.3) in x = 1 + r.
    three = [(0.0, 1.0), (365.0, -2.9), (730.0, 2.63), (1_095.0, -0.715)]
    found = rates(flows_of(three, three, three), -0.6, 0.0, 5.0)
    assert found == pytest.approx([-0.5, 0.1, 0.3], abs=1e-9)


def test_two_roots_beside_each_other_are_found() -> None:
    # With the roots 1.1 and 1.1001 for 1 + r.
    close = [(0.0, -1.0), (365.0, 2.2001), (730.0, -1.21011)]
    assert rates(flows_of(close, close), 0.0, 1.0) == pytest.approx([0.1, 0.1001], abs=1e-7)


def test_no_root_and_no_change_of_sign_have_no_solution() -> None:
    none = [(0.0, -100.0), (365.0, 150.0), (730.0, -100.0)]
    only_paid = [(0.0, -100.0), (365.0, -50.0)]
    nothing = [(0.0, 0.0), (365.0, 0.0)]
    assert np.isnan(rates(flows_of(none, only_paid, nothing), 0.0, 0.0, 0.0)).all()


def test_rate_above_100_is_no_solution_and_one_near_minus_1_is() -> None:
    assert np.isnan(rates(flows_of([(0.0, -1.0), (365.0, 102.0)]), 0.0)).all()
    found = rates(flows_of([(0.0, -1.0), (365.0, 101.0)], [(0.0, -1.0), (365.0, 1e-6)]), 0.0, 0.0)
    assert found == pytest.approx([100, -1 + 1e-6], abs=1e-9)


def test_guess_that_is_unknown_or_a_loss_of_more_than_all_is_no_obstacle() -> None:
    one = [(0.0, -1.0), (365.0, 1.1)]
    assert rates(flows_of(one, one, one), np.nan, -3.0, np.inf) == pytest.approx([0.1] * 3)


def test_problems_of_several_blocks_are_joined() -> None:
    one, two = flows_of([(0.0, -1.0), (365.0, 1.1)]), flows_of([(0.0, -1.0), (365.0, 1.2)])
    assert rates(joined([one, two]), 0.0, 0.0) == pytest.approx([0.1, 0.2])


def test_under_a_year_the_rate_is_of_the_period() -> None:
    world = a_world("2024-01-01", "2024-01-02", "2024-03-01").prices("A", 100, 100, 105)
    person = a_person().did("transfer_in", "2024-01-02", symbol="A", quantity=1).holds("A", 1)
    found = since(person, world)
    yearly = pyxirr.xirr([date(2024, 1, 2), date(2024, 3, 1)], [-100, 105])
    assert yearly is not None
    assert found.mwr == pytest.approx((1 + yearly) ** (60 / 365) - 1)


def test_ledger_over_years_agrees_with_pyxirr() -> None:
    world = weeks(120).prices("A", *np.linspace(10, 20, 600))
    days = [str(day) for day in world.days]
    person, paid = a_person(), {}
    for number in range(10, 600, 40):
        price = float(world.closes["A"][number])
        person.did("buy", days[number], symbol="A", quantity=2, price=price, fee=1)
        paid[days[number]] = -2 * price - 1
    person.did("sell", days[500], symbol="A", quantity=5, price=float(world.closes["A"][500]))
    paid[days[500]] = 5 * float(world.closes["A"][500])
    found = since(person.holds("A", 25), world)
    paid[days[-1]] = 25 * 20
    expected = pyxirr.xirr([date.fromisoformat(day) for day in paid], list(paid.values()))
    assert found.mwr == pytest.approx(expected, abs=1e-9)


def test_total_loss_has_no_rate_but_a_dietz_return() -> None:
    world = a_world("2024-01-01", "2024-01-02", "2024-03-01").prices("A", 100, 100, 0)
    person = a_person().did("buy", "2024-01-02", symbol="A", quantity=1, price=100).holds("A", 1)
    found = since(person, world)
    assert (found.mwr, found.dietz, found.reason) == (None, -1, "no_solution")


def test_problem_that_does_not_settle_leaves_the_others_alone() -> None:
    none = [(0.0, -100.0), (365.0, 150.0), (730.0, -100.0)]
    both = [(0.0, -100.0), (365.0, 230.0), (730.0, -132.0)]
    assert rates(flows_of(none, both, none, both), 0.0, 0.0, 0.0, 1.0)[[1, 3]] == pytest.approx([0.1, 0.2], abs=1e-9)


@pytest.mark.parametrize(
    ("near", "root"), [(0.0, 27), (-110.0, 27), (-130.0, 17_000), (-400.0, 17_000), (-np.inf, 17_000)]
)
def test_of_roots_that_lose_nearly_all_the_nearest_is_found(near: float, root: float) -> None:
    # (z - 27)(z - 17,000) with z = (1 + r)^(-10 / 365): both rates are -1 but for rounding.
    flows = flows_of([(0, 459_000), (10, -17_027), (20, 1)])
    assert internal_rates(flows, np.array([near])) == pytest.approx(-36.5 * np.log(root), rel=1e-9)
