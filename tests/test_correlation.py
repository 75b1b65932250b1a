"""One id in the answer, the log and the audit log; and no value can break a log line."""

import logging

import pytest

from correlation import add_ids_to_log_lines, correlated, current_correlation_id, current_run_id, of_run, trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
RUN = "run_20260102_010000_0a1b"

log = logging.getLogger("tests.correlation")


@pytest.mark.parametrize(
    "traceparent", [f"00-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-more"]
)
def test_the_trace_id_of_a_traceparent_is_the_id(traceparent: str) -> None:
    with correlated(traceparent) as correlation_id:
        assert correlation_id == current_correlation_id() == TRACE


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "no traceparent",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01\r\nX-Forged: 1",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
        "00-" + "a" * 100_000,
    ],
)
def test_a_malformed_traceparent_is_ignored_and_a_new_id_created(traceparent: str | None) -> None:
    assert trace_id(traceparent) is None
    with correlated(traceparent) as first, correlated(traceparent) as second:
        assert first != second
        assert len(first) == len(TRACE)
        assert set(first) <= set("0123456789abcdef")


def test_log_lines_of_a_request_end_with_its_id_and_others_do_not(caplog: pytest.LogCaptureFixture) -> None:
    add_ids_to_log_lines()
    add_ids_to_log_lines()
    with correlated(f"00-{TRACE}-{PARENT}-01"):
        log.warning("within (%s)", "100 %s")
    log.warning("without (%s)", "100 %s")
    assert caplog.messages == [f"within (100 %s) (correlation_id={TRACE})", "without (100 %s)"]


def test_a_log_line_with_wrong_arguments_does_not_fail_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    add_ids_to_log_lines()
    quiet = logging.getLogger("tests.correlation.quiet")
    quiet.propagate = False  # pytest's handler would raise
    quiet.addHandler(logging.StreamHandler())
    with correlated():
        quiet.warning("of %s and %s", "one")
    assert "not enough arguments" in capsys.readouterr().err


@pytest.mark.parametrize("character", ["\n", "\r", "\x00", "\x1b", "\x85", "\u2028", "\u2029", "\x7f"])
def test_no_value_can_break_a_log_line_of_a_request(caplog: pytest.LogCaptureFixture, character: str) -> None:
    add_ids_to_log_lines()
    with correlated():
        log.warning("actor=%s", f"a{character}b")
    (message,) = caplog.messages
    assert message.isprintable()
    assert message.startswith("actor=a\\")


def test_log_lines_of_a_run_contain_its_id_once_in_the_text_and_as_a_field(caplog: pytest.LogCaptureFixture) -> None:
    add_ids_to_log_lines()
    with of_run(RUN):
        log.warning("deep within")
        log.warning("deep within (run_id=%s)", RUN)
        with correlated(f"00-{TRACE}-{PARENT}-01"):
            log.warning("asked for")
    log.warning("after it")
    assert caplog.messages == [
        f"deep within (run_id={RUN})",
        f"deep within (run_id={RUN})",
        f"asked for (run_id={RUN}) (correlation_id={TRACE})",
        "after it",
    ]
    fields = [(vars(record)["run_id"], vars(record)["correlation_id"]) for record in caplog.records]
    assert fields == [(RUN, None), (RUN, None), (RUN, TRACE), (None, None)]


def test_the_id_of_a_run_that_is_closed_in_passing_is_only_in_the_lines_about_it() -> None:
    with of_run(RUN):
        with of_run("run_20260101_010000_ffff"):
            assert current_run_id() == "run_20260101_010000_ffff"
        with of_run(None):
            assert current_run_id() == RUN
    assert current_run_id() is None
