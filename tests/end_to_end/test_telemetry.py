"""The telemetry of a run, received over HTTP by a real collector and a stand-in for Application Insights."""

import re
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from market_data.sample_prices import SampleProvider
from tests import real_engine
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, SECRET, App, running_app
from tests.end_to_end.listener import AT_ONCE, Listener, a_listener
from tests.functions.telemetry import page as telemetry_page
from tests.market_data.made_up import EVER, traded
from tests.market_data.provider_apis import KEYS, alpaca
from tests.market_data.provider_server import ProviderServer, a_provider_server
from tests.market_data.test_sample_prices import COMPANIES
from tests.security.secret_patterns import certain_secrets

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STEPS = {"plan_run", "read_page", "collect_symbols", "load_prices", "research_symbols", "analyze_page", "finish_run"}
QUERIES = sorted((Path(__file__).parent.parent.parent / "infra" / "queries").glob("*.kql"))
PATIENCE_SECONDS = 90
UNREADABLE = "Stored prices cannot be read"


@dataclass
class Observed:
    """A run, the one before it, and the telemetry of both."""

    app: App
    listener: Listener
    server: ProviderServer
    first: dict[str, Any]
    run: dict[str, Any]

    @property
    def run_id(self) -> str:
        return str(self.run["run_id"])


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    sample = SampleProvider().daily_bars([*COMPANIES, "SP500"], *EVER).bars
    sample["SPY"] = sample.pop("SP500")
    with a_provider_server(alpaca, {symbol: traded(symbol, bars) for symbol, bars in sample.items()}) as running:
        yield running


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory, redis_url: str, server: ProviderServer) -> Iterator[Observed]:
    with a_listener() as listener:
        environment = {
            "REDIS_URL": redis_url,
            "MARKET_DATA_PROVIDER": "alpaca",
            "ALPACA_URL": server.url,
            "ALPACA_KEY_ID": KEYS["alpaca-key-id"],
            "ALPACA_SECRET_KEY": KEYS["alpaca-secret-key"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": listener.url,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": listener.connection_string,
            "MONGODB_DATABASE": "observed",
        }
        with running_app(tmp_path_factory.mktemp("app"), **AT_ONCE, **environment) as app:
            first = app.run()
            make_unreadable(app, "AAPL")
            app.client.headers["traceparent"] = f"00-{TRACE}-{CALLER}-00"  # the caller is not sampled
            run_id = app.trigger().json()["run_id"]
            del app.client.headers["traceparent"]
            run = app.wait(run_id)
            eventually(lambda: is_over(listener, run_id), PATIENCE_SECONDS)
            yield Observed(app, listener, server, first, run)


def make_unreadable(app: App, symbol: str) -> None:
    with MongoClient[dict[str, Any]](app.printed("MongoDB at ")) as client:
        done = client["observed"]["symbol_prices"].update_one({"symbol": symbol}, {"$unset": {"start": ""}})
        assert done.modified_count == 1


def is_over(listener: Listener, run_id: str) -> bool:
    """Return whether the last telemetry of each kind has arrived at both listeners."""
    finished = any(span.name == "finish_run" and span.fields.get("run_id") == run_id for span in listener.spans)
    rows = [*listener.rows("RequestData"), *listener.rows("MetricData"), *listener.rows("MessageData")]
    own = [row for row in rows if row["properties"].get("run_id") == run_id]
    kept = {row["name"] for row in own if "name" in row} | {row["message"][:28] for row in own if "message" in row}
    measured = any("metrics" in row for row in own)
    logged = any("Portfolio analysis completed" in line.text and run_id in line.text for line in listener.lines)
    return (
        finished
        and logged
        and measured
        and {"finish_run", "Portfolio analysis completed"} <= kept
        and listener.total("portfolio_analysis.run.duration", run_id=run_id) > 0
    )


@pytest.mark.both_engines
def test_one_run_is_one_trace_from_its_caller_to_mongodb_redis_and_the_provider(observed: Observed) -> None:
    spans = [span for span in observed.listener.spans if span.trace_id == TRACE]
    known = {span.span_id for span in spans} | {CALLER}
    # Between the trigger's span and those of the steps, the real host has spans of its own, which it exports itself.
    spans_of_the_host = STEPS if real_engine.is_chosen() else set()
    assert {span.name for span in spans if span.parent_id not in known} == spans_of_the_host
    (trigger,) = [span for span in spans if span.name == "trigger_analysis"]
    assert trigger.parent_id == CALLER
    steps = [span for span in spans if span.name in STEPS]
    assert {span.name for span in steps} == STEPS
    assert {span.parent_id for span in steps} == {trigger.span_id} or spans_of_the_host
    within = {span.name for span in spans if span.parent_id in {step.span_id for step in steps}}
    assert within >= {"find users", "insert portfolio_analyses", "EVALSHA", "GET /v2/stocks/bars"}


def test_each_step_has_its_run_and_its_batch(observed: Observed) -> None:
    spans = [span for span in observed.listener.spans if span.trace_id == TRACE and span.name in STEPS]
    assert {span.fields["run_id"] for span in spans} == {observed.run_id}
    assert {span.name for span in spans if "batch" in span.fields} == STEPS - {
        "plan_run",
        "collect_symbols",
        "finish_run",
    }
    assert not any(span.failed for span in spans)


def test_a_request_has_the_status_of_its_answer(observed: Observed) -> None:
    with observed.app.stranger() as stranger:
        trace_id = stranger.get(f"{BASE}/analysis-runs").headers["X-Correlation-Id"]
    (span,) = eventually(lambda: [s for s in observed.listener.spans if (s.trace_id, s.parent_id) == (trace_id, "")])
    assert (span.name, span.failed) == ("list_analysis_runs", False)
    assert span.fields["http.response.status_code"] == 401
    assert span.fields["error.type"] == "Unauthorized"


def test_every_log_line_of_a_run_has_the_run_id_however_deep_it_is_logged(observed: Observed) -> None:
    lines = [line for line in observed.listener.lines if line.trace_id == TRACE]
    assert [line.text for line in lines if line.fields.get("run_id") != observed.run_id] == []
    begun = "Portfolio analysis background task started"
    assert {text for text in (UNREADABLE, begun) if any(line.text.startswith(text) for line in lines)} == {
        UNREADABLE,
        begun,
    }
    in_log = [line for line in observed.app.log.read_text().splitlines() if UNREADABLE in line]
    assert in_log
    assert all(line.endswith(f"(run_id={observed.run_id})") for line in in_log)


def test_the_metrics_of_a_run_are_exported_once(observed: Observed) -> None:
    listener, run = observed.listener, observed.run
    for outcome in ("analyzed", "skipped", "failed"):
        counted = listener.total("portfolio_analysis.users", run_id=observed.run_id, outcome=outcome)
        assert counted == run[f"users_{outcome}"]
    durations = [point for point in listener.points if point.name == "portfolio_analysis.run.duration"]
    assert {(point.fields["run_id"], point.value, point.count) for point in durations} == {
        (ended["run_id"], ended["metrics"]["total_duration_seconds"], 1) for ended in (observed.first, run)
    }
    assert len(durations) == 2
    assert listener.total("portfolio_analysis.runs", status=run["status"]) == 2


def test_requests_to_the_provider_are_counted(observed: Observed) -> None:
    listener = observed.listener
    asked = listener.total("portfolio_analysis.provider.requests", status="200")
    assert asked == listener.total("portfolio_analysis.provider.requests") == len(observed.server.asked) > 0


def test_application_insights_receives_the_data_that_the_queries_need(observed: Observed) -> None:
    listener = observed.listener
    lines, requests, metrics = map(listener.rows, ("MessageData", "RequestData", "MetricData"))
    of_run = [row for row in requests if row["properties"].get("run_id") == observed.run_id]
    (trigger,) = [row for row in of_run if row["name"] == "trigger_analysis"]
    assert (trigger["responseCode"], trigger["success"], trigger["url"]) == ("202", True, "")
    assert {row["name"] for row in of_run} == STEPS | {"trigger_analysis"}
    dimensions = {point["name"]: set(row["properties"]) for row in metrics for point in row["metrics"]}
    of_lines = {name for line in lines for name in line["properties"]}
    for query in QUERIES:
        text = query.read_text()
        named = re.findall(r'name == "(portfolio_analysis[^"]*)"', text)
        kept = set().union(*(dimensions[name] for name in named)) if named else of_lines
        assert set(re.findall(r"customDimensions\.(\w+)", text)) <= kept, query.name
    logged = Counter(line["message"].split(" (")[0] for line in lines if observed.run_id in line["message"])
    assert logged["Portfolio analysis triggered via API"] == 1
    assert logged["Portfolio analysis completed with errors"] == 1


def test_all_exported_telemetry_is_documented_by_name(observed: Observed) -> None:
    listener = observed.listener
    assert {name for span in listener.spans for name in span.fields} <= telemetry_page.span_fields()
    exported: dict[str, set[str]] = {}
    for point in listener.points:
        exported.setdefault(point.name, set()).update(point.fields)
    # None of these runs failed.
    assert exported == {name: fields - {"error_type"} for name, (_, fields) in telemetry_page.metrics().items()}


def test_no_telemetry_contains_a_secret_or_a_portfolio(observed: Observed) -> None:
    logged = b"\n".join(observed.listener.bodies).decode(errors="replace")
    assert "trigger_analysis" in logged
    assert [secret for secret in (SECRET, *KEYS.values()) if secret in logged] == []
    assert list(certain_secrets(logged)) == []
    page = observed.app.client.get(f"{BASE}/analysis-runs/{observed.run_id}/portfolios", params={"limit": 100}).json()
    values = {str(row["market_value"]) for row in page["portfolios"] if row["market_value"]}
    assert values
    assert [value for value in values if value in logged] == []
    assert [row["user_id"] for row in page["portfolios"] if row["user_id"] in logged] == []


def test_a_run_is_exported_at_its_end_even_without_periodic_exports(tmp_path: Path) -> None:
    never = {name: str(24 * 3_600_000) for name in AT_ONCE}
    with a_listener() as listener:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": listener.url, "FUNCTIONS_WORKER_PROCESS_COUNT": "1"}
        with running_app(tmp_path, **never, **environment) as app:
            run_id = app.run()["run_id"]
            expected = {"trigger_analysis"} | STEPS
            eventually(lambda: {span.name for span in listener.spans} >= expected)
            eventually(lambda: listener.total("portfolio_analysis.run.duration", run_id=run_id) > 0)
            eventually(lambda: any("Portfolio analysis completed" in line.text for line in listener.lines))


def test_an_unavailable_listener_changes_nothing_and_is_logged_once(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:{1}".format(*unused.getsockname())
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "FUNCTIONS_WORKER_PROCESS_COUNT": "1"}
        with running_app(tmp_path, **AT_ONCE, **environment, OTEL_EXPORTER_OTLP_TIMEOUT="1") as app:
            assert app.run()["status"] == "completed_with_errors"
            complaint = "Telemetry export failed: OTLPSpanExporter"
            # The warning needs an invocation: lines of the exporters' own threads are discarded.
            eventually(lambda: app.client.get("/api/health").is_success and complaint in app.log.read_text())
            app.run()
            assert app.log.read_text().count(complaint) == 1
