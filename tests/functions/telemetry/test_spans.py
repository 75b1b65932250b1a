"""The telemetry of a worker. Each test uses its own process, because telemetry is set up once per process."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import free_port
from tests.end_to_end.listener import a_listener

ROOT = Path(__file__).parent.parent.parent.parent

INVOKED = """
import logging, sys
from correlation import of_run, add_ids_to_log_lines
from functions.telemetry.spans import invocation
add_ids_to_log_lines()
with invocation("plan_run", "other", None), of_run("run_20260102_010000_0a1b"):
    logging.getLogger("stores.symbols").warning("said")
    {within}
"""
# As in Azure: by a signal that cannot be handled. The exporters are imported before, which may take a while.
KILLED = """
import logging, os, signal
import azure.monitor.opentelemetry.exporter
import opentelemetry.exporter.otlp.proto.http._log_exporter
import opentelemetry.exporter.otlp.proto.http.metric_exporter
import opentelemetry.exporter.otlp.proto.http.trace_exporter
from datetime import UTC, datetime
from functions.telemetry.spans import invocation, record_end, flush_at_end
from records import Run, Trigger
run = Run("run_20260102_010000_0a1b", "completed", Trigger("http", "admin"), datetime.now(UTC))
for name in ("first", "second"):
    with invocation(name, "other", None):
        logging.getLogger("runs.starting").warning("said by %s", name)
        {within}
os.kill(os.getpid(), signal.SIGKILL)
"""
MANY = """
from concurrent.futures import ThreadPoolExecutor
from functions.telemetry.spans import invocation, flush_at_end
def change(number):
    with invocation("trigger_analysis", "http", None):
        flush_at_end()
with ThreadPoolExecutor(4) as pool:
    print(len(list(pool.map(change, range(200)))))
"""
FAILING = """
import contextlib, logging, pymongo
owned, hidden = "what-somebody-owns", "what-nobody-may-know"
from functions.telemetry.spans import invocation, flush_at_end
from stores.mongo import connect
from functions.telemetry.mongo_commands import CommandSpans
from stores.redis_server import command, connect as connect_redis
documents = connect("{mongodb_url}", (CommandSpans(),))["failing"]["documents"]
cache = connect_redis(f"redis://user:{{hidden}}@127.0.0.1:{port}")
with invocation("analyze_page", "other", None):
    flush_at_end()
    documents.insert_one({{"_id": owned}})
    try:
        documents.insert_one({{"_id": owned}})
    except Exception:
        logging.getLogger("runs.reports").exception("refused")
    with contextlib.suppress(pymongo.errors.OperationFailure):
        documents.aggregate([{{f"${{owned}}": 1}}])
    with command("MGET"):
        cache.mget([owned])
"""


@contextmanager
def a_silent_listener() -> Iterator[str]:
    """Yield the URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield "http://127.0.0.1:{1}".format(*silent.getsockname())


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the app's folder; it must exit by itself."""
    outside = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=outside | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_a_listener_nothing_is_started() -> None:
    done = run(INVOKED.format(within='print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])'))
    assert done.stdout == "[]\n", done.stderr


def killed(within: str, **environment: str) -> None:
    done = run(KILLED.format(within=within), **environment)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_the_telemetry_of_a_change_is_exported_even_if_the_worker_is_killed_right_after_it() -> None:
    with a_listener() as listener:
        killed("flush_at_end()", OTEL_EXPORTER_OTLP_ENDPOINT=listener.url)
    assert [span.name for span in listener.spans] == ["first", "second"]
    assert [line.text for line in listener.lines] == ["said by first", "said by second"]


def test_the_metrics_of_an_ended_run_are_exported_even_if_the_worker_is_killed_right_after_it() -> None:
    with a_listener() as listener:
        killed("record_end(run, None)", OTEL_EXPORTER_OTLP_ENDPOINT=listener.url)
    assert listener.total("portfolio_analysis.runs", status="completed") == 2
    assert [span.name for span in listener.spans] == ["first", "second"]


def test_an_invocation_without_changes_does_not_wait_for_a_listener() -> None:
    with a_listener() as listener:
        killed("pass", OTEL_EXPORTER_OTLP_ENDPOINT=listener.url, OTEL_BSP_SCHEDULE_DELAY="60000")
    assert listener.spans == []


def test_a_listener_that_does_not_answer_does_not_affect_other_listeners() -> None:
    with a_listener() as listener, a_silent_listener() as url:
        killed(
            "flush_at_end()",
            APPLICATIONINSIGHTS_CONNECTION_STRING=listener.connection_string,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_TIMEOUT="600",
        )
    assert [row["name"] for row in listener.rows("RequestData")] == ["first", "second"]


def test_a_listener_that_does_not_answer_delays_only_one_change() -> None:
    with a_silent_listener() as url:
        # Three seconds for each would be more than two minutes: run() would time out.
        done = run(MANY, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_TIMEOUT="600")
    assert done.stdout == "200\n", done.stderr


def test_an_invalid_setting_disables_telemetry_and_nothing_else() -> None:
    listener_url = f"http://127.0.0.1:{free_port()}"
    script = INVOKED.format(within='print("worked")')
    done = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=listener_url, OTEL_METRIC_EXPORT_INTERVAL="0")
    assert done.stdout == "worked\n"
    assert "Telemetry cannot be exported: ValueError" in done.stderr


def test_a_failure_is_exported_with_the_class_of_its_error_and_without_its_message(mongodb_url: str) -> None:
    with a_listener() as listener:
        script = FAILING.format(mongodb_url=mongodb_url, port=free_port())
        done = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=listener.url)
    assert "redis.exceptions.ConnectionError" in done.stderr.splitlines()[-1]
    failed = {span.name: span.fields["error.type"] for span in listener.spans if span.failed}
    assert failed == {
        "aggregate documents": "Location40324",
        "MGET": "ConnectionError",
        "analyze_page": "ConnectionError",
    }
    (line,) = listener.lines
    assert line.fields["error.type"] == "DuplicateKeyError"
    assert "insert_one" in line.fields["code.stacktrace"]
    assert not any(
        word in body for body in listener.bodies for word in (b"what-somebody-owns", b"what-nobody-may-know")
    )
