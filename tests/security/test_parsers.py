"""For any input, a parser returns a valid value or raises a named error."""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from unicodedata import category

import azure.functions as func
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.prices import clean
from correlation import trace_id
from devhost.errors import StartError
from devhost.messages import FunctionInfo
from devhost.timers import Timer
from functions.access.administrators import Admin
from functions.access.throttling import normalized_address
from functions.http.cursors import decode_cursor, decode_time_cursor
from functions.http.requests import (
    MalformedId,
    NewestQuery,
    PortfoliosQuery,
    TriggerRequest,
    read_body,
    read_id,
    read_query,
    read_request_key,
)
from market_data.price_files.content import text_of
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.series import prices_of_text
from problems import InvalidMember
from schedules import Schedule, ScheduleError
from settings import Settings, SettingsError
from tests.security.fuzzing import examples

# Almost valid bytes with a few errors reach more of the code than random bytes.
CELL = st.sampled_from(
    ["2024-01-02", "2024-02-30", "10", "-0", "1e309", "nan", "inf", "", " ", '"', '"x', "1_0", "٣", "0x1", "\x00", "\r"]
) | st.text(max_size=4)
LINE = st.lists(CELL, max_size=8).map(",".join)
HEADER = st.sampled_from(["date,close", "date,open,high,low,close,adj_close,volume", "DATE,Close,close", "close"])
CSV = st.tuples(HEADER | LINE, st.lists(LINE, max_size=6), st.sampled_from(["\n", "\r\n", "\r"])).map(
    lambda parts: parts[2].join([parts[0], *parts[1]]).encode("utf-8", "surrogatepass")
)

_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}
MEMBER = st.sampled_from(["dry_run", "user_ids", "as_of", "$gt", "__proto__", "`", "", "\ud800"]) | st.text(max_size=4)
WORD = st.text(max_size=8) | st.sampled_from(["2024-01-02", "\ud800", "a\udcff"])
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | WORD
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBER, inner, max_size=4),
    max_leaves=12,
)
ENCODING = st.sampled_from([("utf-8", "surrogatepass"), ("latin-1", "replace"), ("utf-16", "surrogatepass")])
BODY = st.binary(max_size=64) | st.tuples(JSON, st.booleans(), ENCODING).map(
    lambda drawn: json.dumps(drawn[0], ensure_ascii=drawn[1]).encode(*drawn[2])
)
TEXT = st.text(max_size=40) | st.sampled_from(
    ["$gt", "\ud800", "a\udcff", "%00", "../", "1", "100", "-1", "1e2", "nan", "9" * 400]
)


def attempted[Value](
    parse: Callable[[], Value], refusal: type[Exception]
) -> tuple[Value, None] | tuple[None, Exception]:
    """Return the parsed value or the refusal; any other error fails the test."""
    try:
        return parse(), None
    except refusal as error:
        return None, error


@examples(300)
@given(CSV | st.binary(max_size=200))
def test_a_file_of_prices_results_in_bars_or_an_error_with_the_line(content: bytes) -> None:
    prices, fault = attempted(lambda: prices_of_text(text_of(content)), PriceFileFault)
    if prices is None:
        assert isinstance(fault, PriceFileFault)
        assert fault.line is None or 1 <= fault.line <= len(content) + 1
        assert "\n" not in str(fault)
        return
    for bars in prices.series.values():
        if isinstance(bars, PriceFileFault):
            assert "\n" not in str(bars)
            continue
        assert len(bars.dates) == len(bars.close) == len(bars.adj_close)
        assert bool(np.all(bars.dates[1:] > bars.dates[:-1]))
        counting = clean(bars, date.max).bars
        assert bool(np.all(np.isfinite(counting.close) & (counting.close > 0)))


FIELD = st.from_regex(r"[0-9A-Za-z*/,\-]{1,6}", fullmatch=True) | TEXT
SCHEDULE = st.lists(FIELD, min_size=4, max_size=8).map(" ".join) | st.text(max_size=20)


@examples(200)
@given(SCHEDULE)
def test_a_schedule_is_accepted_or_refused_in_one_line_with_its_name(schedule: str) -> None:
    environment = {
        "MONGODB_URL": "mongodb://localhost",
        "MARKET_DATA_PROVIDER": "sample",
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
    }
    taken, refusal = attempted(
        lambda: Settings.from_environment(environment | {"ANALYSIS_SCHEDULE": schedule}), SettingsError
    )
    assert taken or str(refusal).startswith("ANALYSIS_SCHEDULE ")
    assert "\n" not in str(refusal)
    timer = {"type": "timerTrigger", "schedule": "%ANALYSIS_SCHEDULE%", "name": "timer", "direction": "IN"}
    with contextlib.suppress(StartError):
        Timer(FunctionInfo("nightly", [timer]), {"ANALYSIS_SCHEDULE": schedule}, None)


def a_field(low: int, high: int, *names: str) -> st.SearchStrategy[str]:
    """Return a strategy for well-formed fields, most of them valid."""
    value = st.integers(low, high).map(str) | st.integers(low - 1, high + 1).map(str) | st.sampled_from(names or ("*",))
    several = st.tuples(value, value).map("-".join) | st.just("*")
    stepped = st.tuples(several | value, st.integers(0, high + 1).map(str)).map("/".join)
    term = st.just("*") | value | several | stepped
    return term | st.lists(term, min_size=1, max_size=4).map(",".join)


WELL_FORMED = st.tuples(
    a_field(0, 59), a_field(0, 59), a_field(0, 23), a_field(1, 31), a_field(1, 12, "Feb", "JUNE", "m"),
    a_field(0, 6, "SUNDAY", "sat", "T"),
).map(" ".join)  # fmt: skip
A_MINUTE, A_DAY = timedelta(minutes=1), timedelta(days=1)
MOMENT = st.timedeltas(A_DAY, 36_500 * A_DAY).map(datetime(1990, 1, 1, tzinfo=UTC).__add__)
TEN_YEARS = 3653


def is_due(schedule: Schedule, day: datetime) -> bool:
    return day.day in schedule.days and day.month in schedule.months and day.isoweekday() % 7 in schedule.weekdays


def times_of(schedule: Schedule, day: datetime) -> list[datetime]:
    """Return the due times on a day, found by checking each minute."""
    minutes = (day.replace(hour=0, minute=0, second=0, microsecond=0) + at * A_MINUTE for at in range(24 * 60))
    return [
        minute.replace(second=second)
        for minute in minutes
        if minute.hour in schedule.hours and minute.minute in schedule.minutes
        for second in schedule.seconds
    ]


def walked(schedule: Schedule, moment: datetime, step: timedelta) -> datetime | None:
    """Return the next due time after a moment, or the last before it, found by checking each day."""
    for days in range(TEN_YEARS):
        day = moment + days * step
        if is_due(schedule, day):
            times = times_of(schedule, day)
            fitting = [time for time in times if (time > moment if step > timedelta() else time < moment)]
            if fitting:
                return min(fitting) if step > timedelta() else max(fitting)
    return None


@examples(150)
@given(WELL_FORMED, MOMENT)
def test_the_due_times_of_a_schedule_agree_with_a_walk_through_the_calendar(expression: str, moment: datetime) -> None:
    schedule, refusal = attempted(lambda: Schedule.read(expression), ScheduleError)
    if schedule is None:
        assert str(refusal).isprintable()
        return
    after, before = walked(schedule, moment, A_DAY), walked(schedule, moment, -A_DAY)
    assert after is None or schedule.after(moment) == after
    assert before is None or schedule.before(moment) == before
    for found in (schedule.after(moment), schedule.before(moment)):
        assert is_due(schedule, found)
        assert found in times_of(schedule, found)


@examples(300)
@given(BODY)
def test_a_body_is_valid_or_refused_by_a_member(body: bytes) -> None:
    asked, refusal = attempted(
        lambda: read_body(func.HttpRequest("POST", "/", body=body), TriggerRequest), InvalidMember
    )
    assert asked or str(refusal).encode()
    assert asked is None or all(_UNSEEN.isdisjoint(map(category, user_id)) for user_id in asked.user_ids or ())


@examples(200)
@given(st.dictionaries(st.sampled_from(["limit", "before", "after", "sort", "order", "status"]) | TEXT, TEXT))
def test_a_query_is_valid_or_refused_by_a_parameter(parameters: dict[str, str]) -> None:
    request = func.HttpRequest("GET", "/", params=parameters, body=b"")
    kinds: list[type[NewestQuery | PortfoliosQuery]] = [NewestQuery, PortfoliosQuery]
    for kind in kinds:
        query, refusal = attempted(partial(read_query, request, kind), InvalidMember)
        assert 1 <= query.limit <= 100 if query else str(refusal).encode()


@examples(300)
@given(TEXT | st.binary(max_size=60).map(lambda content: content.hex()))
def test_ids_keys_cursors_traces_and_addresses_are_valid_or_refused(text: str) -> None:
    request = func.HttpRequest(
        "GET", "/", headers={"Idempotency-Key": text}, route_params={"run_id": text, "user_id": text}, body=b""
    )
    with contextlib.suppress(MalformedId):
        assert len(read_id(request, "user_id")) <= 128
    with contextlib.suppress(MalformedId):
        assert read_id(request, "run_id").startswith("run_")
    with contextlib.suppress(InvalidMember):
        read_request_key(request, Admin(text, "bearer"), TriggerRequest())
    with contextlib.suppress(InvalidMember):
        decode_time_cursor("before", text)
    with contextlib.suppress(InvalidMember):
        decode_cursor("after", text, tuple[float | None, str])
    assert trace_id(text) is None or len(text) >= 55
    assert normalized_address(text).isascii()
