"""What a worker tells by itself, each in a process of its own: there is one teller a process."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.conftest import free_port
from tests.end_to_end.listener import Listener, a_listener

ROOT = Path(__file__).parent.parent.parent

INVOKED = """
import logging, sys
from functions.correlation import of_run, tell_in_log_lines
from functions.telemetry import invocation
tell_in_log_lines()
with invocation("plan_run", "other", None), of_run("run_20260102_010000_0a1b"):
    logging.getLogger("stores.prices").warning("said")
    {within}
"""
FAILING = """
import contextlib, logging, pymongo
owned, hidden = "what-somebody-owns", "what-nobody-may-know"
from functions.telemetry import invocation
from stores.mongo import connect
from stores.mongo_trace import CommandSpans
from stores.redis_server import command, connect as connect_redis
documents = connect("{mongodb_url}", (CommandSpans(),))["failing"]["documents"]
cache = connect_redis(f"redis://user:{{hidden}}@127.0.0.1:{port}")
with invocation("analyze_page", "other", None):
    documents.insert_one({{"_id": owned}})
    try:
        documents.insert_one({{"_id": owned}})
    except Exception:
        logging.getLogger("functions.pages").exception("refused")
    with contextlib.suppress(pymongo.errors.OperationFailure):
        documents.aggregate([{{f"${{owned}}": 1}}])
    with command("MGET"):
        cache.mget([owned])
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the app's folder; it must come to an end by itself."""
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


def heard(script: str, **environment: str) -> Listener:
    with a_listener() as listener:
        done = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=listener.url, **environment)
        assert done.returncode == 0, done.stderr
    return listener


def test_where_nobody_listens_nothing_is_started() -> None:
    done = run(INVOKED.format(within='print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])'))
    assert done.stdout == "[]\n", done.stderr


def test_what_is_left_is_told_when_the_worker_ends() -> None:
    listener = heard(INVOKED.format(within="pass"))
    assert [span.name for span in listener.spans] == ["plan_run"]
    assert [line.text for line in listener.lines] == ["said (run_id=run_20260102_010000_0a1b)"]


def test_a_listener_that_does_not_answer_does_not_keep_a_worker_from_ending() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://127.0.0.1:{1}".format(*silent.getsockname())
        done = run(INVOKED.format(within="pass"), OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_TIMEOUT="600")
    assert done.returncode == 0, done.stderr


def test_a_setting_that_cannot_be_used_costs_what_would_be_told_and_nothing_else() -> None:
    listener_url = f"http://127.0.0.1:{free_port()}"
    script = INVOKED.format(within='print("worked")')
    done = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=listener_url, OTEL_METRIC_EXPORT_INTERVAL="0")
    assert done.stdout == "worked\n"
    assert "Nobody is told about what this worker does: ValueError" in done.stderr


def test_what_fails_is_told_by_the_class_of_its_error_without_its_words(mongodb_url: str) -> None:
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
    assert not any(word in said for said in listener.said for word in (b"what-somebody-owns", b"what-nobody-may-know"))
