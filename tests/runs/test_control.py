"""Canceling a run, and retrying its failed users."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from azure.durable_functions import SyncDurableFunctionsClient

from analysis.models import Report
from functions.engine import DurableEngine
from records import Failure, RunError, Trigger
from runs.ending import close_run
from runs.services import Services
from runs.starting import NothingFailed, RunActive, RunOver, cancel_run, retry_run, start_run
from tests.builders import save
from tests.engine import carry_out, hold_lease, run_of

BY_HTTP, RETRY = Trigger("http", "admin-secret"), Trigger("retry", "admin-secret")
AS_OF = date(2020, 1, 2)


def report_failures(services: Services, run_id: str, *user_ids: str) -> None:
    failed = [Report(run_id, user_id, AS_OF, "USD", "failed", "invalid_account", error="no") for user_id in user_ids]
    save(services.reports, [*failed, Report(run_id, "good", AS_OF, "USD", "analyzed")])


def test_a_run_that_the_engine_carries_is_marked_and_left_to_its_orchestration(
    services: Services, engine: DurableEngine
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    cancel_run(services, engine, run_of(services, run_id), "admin")
    run = run_of(services, run_id)
    assert run.status == "queued"
    assert run.cancel_requested_at is not None
    assert services.lease.holder() == run_id


def test_two_concurrent_cancels_are_both_accepted(services: Services, engine: DurableEngine) -> None:
    run = run_of(services, start_run(services, engine, BY_HTTP))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: cancel_run(services, engine, run, "admin"), range(2)))
    assert run_of(services, run.run_id).cancel_requested_at is not None


def test_a_run_that_is_over_cannot_be_canceled_and_does_not_change(services: Services, engine: DurableEngine) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    close_run(services, run_of(services, run_id), None)
    over = run_of(services, run_id)
    with pytest.raises(RunOver):
        cancel_run(services, engine, over, "admin")
    assert run_of(services, run_id) == over


def test_a_run_that_no_engine_carries_is_canceled_at_once(services: Services, engine: DurableEngine) -> None:
    hold_lease(services, "run_20200102_000000_0000", requested_at=datetime(2020, 1, 2, tzinfo=UTC))
    services.runs.start("run_20200102_000000_0000", datetime(2020, 1, 2, tzinfo=UTC))
    cancel_run(services, engine, run_of(services, "run_20200102_000000_0000"), "admin")
    assert run_of(services, "run_20200102_000000_0000").status == "canceled"
    assert services.lease.holder() is None


def test_a_run_whose_orchestration_ended_without_it_is_canceled_at_once(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    client.terminate_orchestration(run_id)
    carry_out(client, run_id)
    cancel_run(services, engine, run_of(services, run_id), "admin")
    assert run_of(services, run_id).status == "canceled"


def test_a_retry_is_a_new_run_over_the_failed_users_as_of_the_same_date(
    services: Services, engine: DurableEngine
) -> None:
    first = start_run(services, engine, BY_HTTP, as_of=AS_OF)
    report_failures(services, first, "a", "b")
    close_run(services, run_of(services, first), None)
    second = run_of(services, retry_run(services, engine, run_of(services, first), RETRY))
    assert (second.retry_of, second.as_of, second.trigger, second.dry_run) == (first, AS_OF, RETRY, False)
    assert list(services.reports.failed_user_ids(first)) == ["a", "b"]


def test_a_retry_of_a_run_without_failed_users_starts_nothing(services: Services, engine: DurableEngine) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    report_failures(services, run_id)
    close_run(services, run_of(services, run_id), Failure("too_few_prices", "Too few."))
    with pytest.raises(NothingFailed):
        retry_run(services, engine, run_of(services, run_id), RETRY)
    assert len(services.runs.newest(10, None)) == 1
    assert services.lease.holder() is None


def test_a_retry_of_a_run_whose_reports_are_no_longer_all_kept_starts_nothing(
    services: Services, engine: DurableEngine
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    report_failures(services, run_id, "a", "b")
    close_run(services, run_of(services, run_id), None)
    services.reports.purge(run_id, None, "b")
    with pytest.raises(NothingFailed):
        retry_run(services, engine, run_of(services, run_id), RETRY)


def test_a_retry_while_a_run_is_active_is_refused_with_the_id_of_the_active_one(
    services: Services, engine: DurableEngine
) -> None:
    first = start_run(services, engine, BY_HTTP)
    report_failures(services, first, "a")
    with pytest.raises(RunActive) as itself:
        retry_run(services, engine, run_of(services, first), RETRY)
    close_run(services, run_of(services, first), None)
    second = start_run(services, engine, BY_HTTP)
    with pytest.raises(RunActive) as another:
        retry_run(services, engine, run_of(services, first), RETRY)
    assert (itself.value.run_id, another.value.run_id) == (first, second)


def test_the_errors_of_a_canceled_run_contain_the_cause_of_its_early_end(
    services: Services, engine: DurableEngine
) -> None:
    run = run_of(services, start_run(services, engine, BY_HTTP))
    cancel_run(services, engine, run, "admin")
    assert close_run(services, run_of(services, run.run_id), Failure("gave_up", "It gave up.")) == "canceled"
    assert run_of(services, run.run_id).errors == (RunError(None, "gave_up", "It gave up."),)
