"""The app with its environment: real servers, worker processes, price files and users, each of which can fail."""

import re
import shutil
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from analysis.models import Portfolio
from benchmarks.mongodb import fill
from stores.mongo import Document, DocumentDatabase, connect
from tests.devhost.harness import eventually
from tests.end_to_end.app import ROOT, App, assert_discreet, start_app
from tests.faults.people import LOOKBACK_DAYS, people, write_prices
from tests.faults.servers import MongoDB, Redis
from tests.faults.wire import Wire

FINAL = ("completed", "completed_with_errors", "failed", "canceled")
PATIENCE_SECONDS = 240
_USERS = 40
_DATABASE = "portfolio"
_END_OF_RUN = r"Portfolio analysis (?:completed successfully|completed with errors|failed|canceled) \(run_id=%s[,)]"


class Site:
    """Everything that a run depends on. Its methods break and repair the parts in their names."""

    def __init__(self, folder: Path, options: Sequence[str] = (), /, *, users: int = _USERS, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._options = options
        self._standard_people = people(users)
        self.settings = settings
        self._started: dict[str, str] = {}
        self.prices = folder / "prices"
        self.mongodb = MongoDB(folder / "mongodb")
        self.redis = Redis(folder / "redis")
        self.wire = Wire(self.mongodb.port)
        # Not through the wire, so that the tests' own commands are never held.
        self._client = connect(f"mongodb://127.0.0.1:{self.mongodb.port}/?directConnection=true")
        self.database: DocumentDatabase = self._client[_DATABASE]
        self.user_ids: list[str] = []
        self._app: App | None = None
        self._script_root = ROOT
        self._deaths = 0
        self._log_begins = 0

    @property
    def app(self) -> App:
        assert self._app is not None, "the app is not running"
        return self._app

    def heal(self, script_root: Path = ROOT, /, **settings: str) -> None:
        """Restore the initial state for a test; the app has these settings, and may be a copy in another folder."""
        self.mend()
        self.forget_runs()
        self.wire.garbled.clear()
        self.populate(self._standard_people)
        self.ensure_app(script_root, **settings)
        self.forget_log()

    def ensure_app(self, script_root: Path = ROOT, /, **settings: str) -> None:
        """Start the app unless it runs from this folder with these settings, and wait for its workers."""
        wanted = (script_root, self._environment(**settings))
        # The host exits after three deaths per worker process.
        if self._app is None or self._deaths >= self._worker_count or (self._script_root, self._started) != wanted:
            self.start_app(script_root, **settings)
        self.wait_for_workers()

    @property
    def _worker_count(self) -> int:
        return int(self._started["FUNCTIONS_WORKER_PROCESS_COUNT"])

    def mend(self) -> None:
        """Resume or restart everything, and restore the prices."""
        if self._app is not None:
            self.resume_workers()
        self.restore_prices()
        self.redis.resume()
        self.redis.start()
        self.mongodb.resume()
        self.start_mongodb()

    def close(self) -> None:
        """Stop everything; fail if the app logged or printed a secret."""
        app = self._app
        if app is not None:
            self.kill_app()
        self._client.close()
        self.wire.close()
        self.mongodb.kill()
        self.redis.kill()
        if app is not None:
            assert_discreet(app, self._started)

    # The app.

    def start_app(self, script_root: Path = ROOT, /, **settings: str) -> None:
        """Start the app, or restart it with other settings or from another folder."""
        if self._app is not None:
            self._app.stop(signal.SIGINT)
            self._app = None
        self._script_root, self._started = script_root, self._environment(**settings)
        self._app = start_app(self._folder, script_root, self._options, **self._started)
        self._deaths = 0

    def restart_app(self) -> None:
        """Start the app again with the settings it had, from its folder."""
        self.start_app(self._script_root, **self._started)

    def kill_app(self) -> None:
        """Kill the host with SIGKILL; its workers and the in-memory engine end with it."""
        workers = self.workers()
        self.app.stop(signal.SIGKILL)
        self._app = None
        psutil.wait_procs(workers, timeout=PATIENCE_SECONDS)

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes, oldest first."""
        children = psutil.Process(self.app.process.pid).children(recursive=True)
        found = []
        for child in children:
            try:
                if "devhost.worker" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return sorted(found, key=lambda process: process.create_time())

    def wait_for_workers(self) -> list[psutil.Process]:
        """Return the workers as soon as all of them are running and answer."""
        with ThreadPoolExecutor(self._worker_count) as threads:
            return eventually(partial(self._ready_workers, self._worker_count, threads), PATIENCE_SECONDS)

    def _ready_workers(self, count: int, threads: ThreadPoolExecutor) -> list[psutil.Process]:
        # One concurrent request per worker reaches each that has loaded the app; the first request connects it.
        answers = list(threads.map(self.app.client.get, ["/api/health"] * count))
        workers = self.workers()
        ready = all(self._is_connected(worker) for worker in workers) and len(workers) == count
        return workers if ready and all(answer.status_code == 200 for answer in answers) else []

    def _is_connected(self, worker: psutil.Process) -> bool:
        return any(connection.raddr[1:] == (self.wire.port,) for connection in worker.net_connections("tcp"))

    def kill_workers(self) -> None:
        """Kill every worker process with SIGKILL."""
        for worker in self.workers():
            self.kill_worker(worker)

    def kill_worker(self, worker: psutil.Process) -> None:
        self._deaths += 1
        worker.kill()
        eventually(lambda: not psutil.pid_exists(worker.pid))  # until the host has noticed

    def pause_worker(self, worker: psutil.Process) -> None:
        """Pause a worker process, as swapping or a debugger does."""
        worker.suspend()
        eventually(lambda: worker.status() == psutil.STATUS_STOPPED)

    def resume_workers(self) -> None:
        for worker in self.workers():
            worker.resume()

    def worker_of(self, client_port: int) -> psutil.Process:
        """Return the worker with the connection to MongoDB from this port."""
        for worker in self.workers():
            if any(connection.laddr.port == client_port for connection in worker.net_connections("tcp")):
                return worker
        raise AssertionError(f"no worker has a connection from port {client_port}")

    def log(self) -> str:
        """Return the log of the app, over all its starts, since the last ``forget_log``."""
        return self._whole_log()[self._log_begins :]

    def _whole_log(self) -> str:
        log = self._folder / "app.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def forget_log(self) -> None:
        self._log_begins = len(self._whole_log())

    def wait_for_log(self, pattern: str, times: int = 1) -> None:
        """Wait until the log has this number of lines with the pattern."""
        eventually(lambda: len(re.findall(pattern, self.log())) >= times, PATIENCE_SECONDS)

    def ends_logged(self, run_id: str) -> int:
        """Return the number of log lines about the end of a run."""
        return len(re.findall(_END_OF_RUN % run_id, self.log()))

    # Its dependencies.

    def start_mongodb(self) -> None:
        self.mongodb.start()
        self.wire.open()

    def stop_mongodb(self) -> None:
        self.wire.close()
        self.mongodb.stop()

    def kill_mongodb(self) -> None:
        self.wire.close()
        self.mongodb.kill()

    def restore_prices(self) -> None:
        shutil.rmtree(self.prices, ignore_errors=True)
        shutil.rmtree(self._hidden_prices, ignore_errors=True)
        self.prices.mkdir()
        write_prices(self.prices)

    def hide_prices(self) -> None:
        """Remove the folder of prices."""
        self.prices.rename(self._hidden_prices)

    def show_prices(self) -> None:
        self._hidden_prices.rename(self.prices)

    @property
    def _hidden_prices(self) -> Path:
        return self._folder / "hidden-prices"

    def populate(self, owners: Sequence[Portfolio]) -> None:
        """Replace all users."""
        fill(self.database, owners)
        self.user_ids = [owner.user_id for owner in owners]

    # Runs.

    def trigger(self, **body: Any) -> str:  # noqa: ANN401 - any JSON
        """Start a run and return its id."""
        answer = self.app.trigger(**body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run_id"])

    def record(self, run_id: str) -> Document:
        """Return a run's record from the database, which works even if no worker answers."""
        document = self.database.portfolio_analysis_runs.find_one({"run_id": run_id})
        assert document is not None
        return document

    def wait(self, run_id: str) -> Document:
        """Return a run's record after the run has ended and released its resources."""
        eventually(lambda: self.record(run_id)["status"] in FINAL, PATIENCE_SECONDS)
        eventually(partial(self.is_cleared_up, run_id), PATIENCE_SECONDS)
        return self.record(run_id)

    def is_cleared_up(self, run_id: str) -> bool:
        """Return whether the end of a run is logged and its resources are released."""
        held = {"run_id": run_id}
        left = (self.database[name].count_documents(held) for name in ("run_leases", "run_batches"))
        return self.ends_logged(run_id) > 0 and not any(left)

    def wait_for(self, run_id: str, **members: Any) -> None:  # noqa: ANN401 - any value
        """Wait until a run's record has these members."""
        eventually(lambda: members.items() <= self.record(run_id).items(), PATIENCE_SECONDS)

    def wait_for_pages(self, run_id: str, pages: int) -> None:
        """Wait until this number of pages of a run is done."""
        eventually(lambda: self.record(run_id)["progress"]["pages_done"] >= pages, PATIENCE_SECONDS)

    def forget_runs(self) -> None:
        """Wait until no run is active, and delete all runs, so that a test does not affect the next one."""
        active = {"status": {"$nin": list(FINAL)}}
        if self._app is not None:
            eventually(lambda: self.database.portfolio_analysis_runs.count_documents(active) == 0, PATIENCE_SECONDS)
        for name in (
            "deliveries",
            "delivery_passes",
            "outbox",
            "portfolio_analyses",
            "portfolio_analysis_runs",
            "portfolio_books",
            "portfolio_rankings",
            "run_batches",
            "run_leases",
        ):
            self.database[name].delete_many({})

    def forget_prices(self) -> None:
        """Delete the prices in the database, so that a run requests them from the source."""
        self.database.symbol_prices.delete_many({})

    def age(self, run_id: str, seconds: int) -> None:
        """Move the times of a run back by this number of seconds: the watchdog ignores recent runs."""
        self._age({"run_id": run_id}, seconds)

    def age_if_active(self, run_id: str, seconds: int) -> None:
        """Move the times back unless the run has ended: a process that closes an ended run must not seem long dead."""
        self._age({"run_id": run_id, "status": {"$nin": list(FINAL)}}, seconds)

    def _age(self, query: Document, seconds: int) -> None:
        times = {
            name: self.record(query["run_id"]).get(name) for name in ("requested_at", "started_at", "completed_at")
        }
        earlier = {name: time - timedelta(seconds=seconds) for name, time in times.items() if time}
        self.database.portfolio_analysis_runs.update_one(query, {"$set": earlier})

    def fire_watchdog(self) -> None:
        self.app.fire("watchdog")

    def _environment(self, **settings: str) -> dict[str, str]:
        return {
            # Options that the app must not follow for its own collections.
            "MONGODB_URL": f"mongodb://127.0.0.1:{self.wire.port}/?directConnection=true"
            "&readPreference=secondaryPreferred&w=1",
            "MONGODB_DATABASE": _DATABASE,
            "REDIS_URL": self.redis.url,
            "MARKET_DATA_PROVIDER": "csv",
            "PRICES_DIR": str(self.prices),
            "ANALYSIS_PAGE_SIZE": "5",
            "ANALYSIS_LOOKBACK_DAYS": str(LOOKBACK_DAYS),
            "ANALYSIS_STALL_SECONDS": "2",
            "FUNCTIONS_WORKER_PROCESS_COUNT": "2",
            "ANALYSIS_SCHEDULE": "0 0 0 1 1 *",  # no nightly run in the middle of a test
            **self.settings,
            **settings,
        }
