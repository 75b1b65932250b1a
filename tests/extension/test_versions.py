"""A run left by a newer version of the app, on the real extension with ``Reject``."""

import json
from pathlib import Path

from runs.engine import VERSION
from tests.deployed import copy_of_app
from tests.devhost.harness import eventually
from tests.faults.moments import PLAN
from tests.faults.site import FINAL, PATIENCE_SECONDS, Site
from tests.faults.truth import check

_NEWER = "99.0"


def newer_app(folder: Path) -> Path:
    """Return a copy of the app with a newer version."""
    app = copy_of_app(folder / "newer")
    engine = app / "runs" / "engine.py"
    engine.write_text(engine.read_text().replace(f'VERSION = "{VERSION}"', f'VERSION = "{_NEWER}"'))
    host_json = json.loads((app / "host.json").read_text())
    host_json["extensions"]["durableTask"]["defaultVersion"] = _NEWER
    (app / "host.json").write_text(json.dumps(host_json))
    return app


def test_a_run_of_a_version_that_was_rolled_back_is_closed_and_does_not_block_other_runs(
    site: Site, tmp_path: Path
) -> None:
    site.start_app(newer_app(tmp_path))
    with site.wire.holding(PLAN) as hold:
        run_id = site.trigger()
        hold.wait()
        site.kill_app()
    site.start_app(ANALYSIS_STALL_SECONDS="600")
    assert site.app.trigger().json()["run_id"] == run_id, "it is active"
    site.age(run_id, seconds=120)

    def is_over() -> bool:
        site.fire_watchdog()
        return site.record(run_id)["status"] in FINAL

    eventually(is_over, PATIENCE_SECONDS)
    closed = check(site, run_id, planned=[], states=("failed",))
    assert closed["errors"][0]["error_type"] == "newer_version"
    check(site, site.trigger(), states=("completed",))
