"""A run over a million users and 50,000 symbols that is disturbed all the time: ``make million``.

The users are made on the fly; the database, the prices and the lake are files. Every minute a worker or, on the real
Durable extension, the whole app is killed (SIGKILL). At the end everything stored is compared with what it should be.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import psutil
from pymongo.errors import PyMongoError

from benchmarks.generated import GeneratedUsers, user_id
from benchmarks.peaks import peak_memory
from benchmarks.scale_page import RESULTS, write_page
from benchmarks.site import write_prices
from stores.mongo import Document
from stores.rankings import RankingStore
from tests import real_engine
from tests.faults.site import FINAL, Site
from tests.faults.truth import alike

_POLL_SECONDS = 1.0
_CHECKED_AGAIN = 100
_IDS_AT_ONCE = 10_000
_HIGHEST_SEED = 2**32
_LONG_AGO_SECONDS = 1_000 * 24 * 3600
_PURGED = ("portfolio_analyses", "portfolio_rankings", "symbol_research")
_CONTAINER = re.compile("-(?:applease|leases|largemessages)\\b")
"""In the path of a request for a blob of the Durable extension; its other requests are for queues and tables."""
_TOOK = re.compile(r"(\w+): took (\d+) ms$", re.MULTILINE)


def main() -> None:
    """Run, check, and write the results into docs/scale.md."""
    options = argparse.ArgumentParser()
    options.add_argument("--users", type=int, default=1_000_000)
    options.add_argument("--symbols", type=int, default=50_000)
    options.add_argument("--seconds-between-kills", type=float, default=60.0)
    options.add_argument("--seed", type=int, default=random.randrange(_HIGHEST_SEED))  # noqa: S311 - no secret
    options.add_argument(
        "--purge", action="store_true",
        help="purge the run afterwards, beside the next one; of a million users both do not fit into 24 GB of memory",
    )  # fmt: skip
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="million-") as folder:
        found = measured(
            Path(folder), asked.users, asked.symbols, asked.seconds_between_kills, asked.seed, purge=asked.purge
        )
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    name = "purge" if asked.purge else "million"
    RESULTS.write_text(json.dumps(known | {name: found}, indent=1) + "\n")
    write_page()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    if found["wrong"]:
        raise SystemExit(1)


def measured(folder: Path, users: int, universe: int, between: float, seed: int, *, purge: bool) -> dict[str, Any]:
    """Return what happened in a run: times of the steps, kills, memory, and everything that is wrong after it.

    With ``purge`` also the times of the calls that purge it.
    """
    prices, lake = folder / "prices", folder / "lake"
    for made in (prices, lake):
        made.mkdir()
    write_prices(prices, universe)
    generated = GeneratedUsers(users, universe)
    site = Site(
        folder / "site", ["--verbose"], users=1, PRICES_DIR=str(prices), LAKE_DIR=str(lake), ANALYSIS_PAGE_SIZE="200",
        ANALYSIS_LOOKBACK_DAYS="1260", ANALYSIS_STALL_SECONDS="1800",
    )  # fmt: skip
    try:
        site.mongodb.start()
        site.redis.start()
        site.populate([])
        site.wire.meddling.append(generated)
        site.ensure_app()
        run_id = site.trigger()
        killer = _Killer(site, between, random.Random(seed))  # noqa: S311 - no secret
        with peak_memory(lambda: psutil.Process().children(recursive=True)) as peaks:
            while _status(site, run_id) not in FINAL:
                time.sleep(_POLL_SECONDS)
                killer.revive()
                killer.kill_if_due()
        site.ensure_app()
        run = site.wait(run_id)
        found = {
            "users": users,
            "symbols": universe,
            "seed": seed,
            "engine": "Durable extension" if real_engine.is_chosen() else "in memory",
            "status": run["status"],
            "seconds": run["metrics"],
            "kills": killer.kills,
            "peak_megabytes": peaks,
            "longest_steps": _longest_steps(site.log()),
            "executions": len(_TOOK.findall(site.log())),
            "storage_requests": _storage_requests(),
        }
        sys.stderr.write(f"The run is over, and is compared now: {json.dumps(found)}\n")
        found["wrong"] = list(_faults(site, run, generated, lake, users))
        return found | ({"purge_seconds": _purge(site, run_id)} if purge else {})
    finally:
        site.close()


class _Killer:
    """Kills a worker, or now and then the whole app where its engine survives that, every so many seconds."""

    def __init__(self, site: Site, between: float, chance: random.Random) -> None:
        self._site, self._between, self._chance = site, between, chance
        self._next = time.monotonic() + between
        self.kills = {"workers": 0, "app": 0}

    def revive(self) -> None:
        """Start the host again, as Azure does, after it has ended itself because its workers died too often."""
        if self._site.app.process.poll() is not None:
            self._site.restart_app()

    def kill_if_due(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._between
        if real_engine.is_chosen() and self._chance.random() < 1 / 3:
            self._site.kill_app()
            self.kills["app"] += 1
            self._site.ensure_app()
        elif workers := self._site.workers():
            self._site.kill_worker(self._chance.choice(workers))
            self.kills["workers"] += 1


def _storage_requests() -> dict[str, int]:
    """Return how often the engine has asked its storage so far; nothing if it is in memory."""
    if not real_engine.is_chosen():
        return {}
    of_blobs = [_CONTAINER.search(path) is not None for path in real_engine.shared_storage().requests()]
    return {"queues and tables": of_blobs.count(False), "blobs": of_blobs.count(True)}


def _longest_steps(log: str) -> dict[str, float]:
    """Return the longest call of each function, in seconds, also of those that ended with their worker."""
    longest: dict[str, float] = defaultdict(float)
    for name, milliseconds in _TOOK.findall(log):
        longest[name] = max(longest[name], int(milliseconds) / 1e3)
    return dict(sorted(longest.items()))


def _purge(site: Site, run_id: str) -> list[float]:
    """Let the watchdog purge an old run beside the next one of all users; return how long each of its calls took."""
    site.trigger()
    site.age(run_id, _LONG_AGO_SECONDS)
    known, seconds = len(_calls_of_watchdog(site.log())), list[float]()
    while not site.record(run_id).get("purged"):
        site.fire_watchdog()
        while len(calls := _calls_of_watchdog(site.log())) == known + len(seconds):
            time.sleep(_POLL_SECONDS)
        seconds = calls[known:]
    left = {name: site.database[name].count_documents({"run_id": run_id}) for name in _PURGED}
    if any(left.values()):
        raise RuntimeError(f"the run counts as purged, but there is something left of it: {left}")
    return seconds


def _calls_of_watchdog(log: str) -> list[float]:
    return [int(milliseconds) / 1e3 for name, milliseconds in _TOOK.findall(log) if name == "watchdog"]


def _status(site: Site, run_id: str) -> str:
    try:
        return str(site.record(run_id)["status"])
    except PyMongoError:
        return "unknown"


def _faults(site: Site, run: dict[str, Any], generated: GeneratedUsers, lake: Path, users: int) -> Iterator[str]:
    """Yield what is lost, doubled or wrong."""
    run_id, expected = run["run_id"], [user_id(number) for number in range(users)]
    if (run["status"], run["users_analyzed"], run["users_to_analyze"]) != ("completed", users, users):
        yield f"the record: {run['status']}, {run['users_analyzed']} analyzed, {run['errors'][:3]}"
    reported = [name for bounds in _between(expected) for name in _stored(site, run_id, bounds)]
    if reported != expected:
        yield f"{len(reported)} reports are stored, on {len(set(reported))} users"
    rankings = RankingStore(site.database).of(run_id)
    listed = [] if rankings is None else _ids(rankings("user_id"))
    if listed != expected:
        yield f"the list by id has {len(listed)} lines"
    kept = duckdb.read_json(
        f"{lake}/*/*/*.jsonl.gz", columns={"user_id": "VARCHAR"}, hive_partitioning=False
    ).fetchall()
    if sorted(name for (name,) in kept) != expected:
        yield f"the lake has {len(kept)} lines"
    chance = random.Random(run_id)  # noqa: S311 - no secret
    some = [user_id(number) for number in sorted(chance.sample(range(users), min(_CHECKED_AGAIN, users)))]
    again = site.app.run(user_ids=some)
    for name in some:
        one, other = site.app.report(run_id, name), site.app.report(again["run_id"], name)
        if not alike(one | {"run_id": None}, other | {"run_id": None}):
            yield f"the report of {name} differs from an undisturbed one"
        number = int(name.removeprefix("user-"))
        held = {holding.symbol for holding in generated.portfolio(number).holdings}
        if {holding["symbol"] for holding in one["holdings"]} != held:
            yield f"the report of {name} is of other holdings"


def _between(user_ids: Sequence[str]) -> Iterator[Document]:
    """Yield ranges that together hold any id, each few of these: the embedded server has a whole answer in memory."""
    bounds = [user_ids[place] for place in range(_IDS_AT_ONCE, len(user_ids), _IDS_AT_ONCE)]
    for low, high in pairwise([None, *bounds, None]):
        yield {"$gte": low or ""} | ({"$lt": high} if high else {})


def _stored(site: Site, run_id: str, bounds: Document) -> list[str]:
    found = site.database.portfolio_analyses.find(
        {"run_id": run_id, "user_id": bounds}, {"_id": False, "user_id": True}
    )
    return sorted(document["user_id"] for document in found)


def _ids(ranking: Any) -> list[str]:  # noqa: ANN401 - a Ranking
    return [line.summary.user_id for number in range(len(ranking.index.firsts)) for line in ranking.load(number)]


if __name__ == "__main__":
    main()
