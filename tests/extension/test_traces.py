"""One run is one trace, also on a host that does not collect the extension's own spans."""

import json
from pathlib import Path

from tests import real_engine
from tests.devhost.harness import eventually
from tests.end_to_end.app import ROOT, running_app
from tests.end_to_end.listener import AT_ONCE, a_listener
from tests.end_to_end.test_telemetry import CALLER, STEPS, TRACE


def an_app_on_an_older_host(folder: Path) -> Path:
    """Return a copy of the app's folder with a host.json that does not enable OpenTelemetry in the host."""
    folder.mkdir()
    for part in ROOT.iterdir():
        if not part.name.startswith(".") and part.name != "host.json":
            (folder / part.name).symlink_to(part)
    settings = json.loads((ROOT / "host.json").read_text())
    del settings["telemetryMode"]
    (folder / "host.json").write_text(json.dumps(settings))
    return folder


def test_one_run_is_one_trace_on_a_host_that_does_not_collect_the_extensions_spans(tmp_path: Path) -> None:
    script_root = an_app_on_an_older_host(tmp_path / "script_root")
    with a_listener() as listener:
        environment = real_engine.environment(tmp_path) | AT_ONCE | {"OTEL_EXPORTER_OTLP_ENDPOINT": listener.url}
        with running_app(tmp_path, script_root, **environment) as app:
            app.client.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
            run_id = app.trigger().json()["run_id"]
            app.wait(run_id)
            eventually(lambda: any(span.name == "finish_run" for span in listener.spans))
    steps = [span for span in listener.spans if span.fields.get("run_id") == run_id and span.name in STEPS]
    assert {span.name for span in steps} == STEPS
    assert {span.trace_id for span in steps} == {TRACE}
