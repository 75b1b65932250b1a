"""``make soak``: random faults of all kinds at random moments, over runs of thousands of users, for an hour.

Ends with exit code 1 if a single user's result was lost or doubled, or a single run ended in a wrong state.
"""

import argparse
import random
import secrets
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
from pymongo.errors import PyMongoError

from stores.mongo import connect
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE
from tests.faults.chaos import PRICES, STALL_SECONDS, Story, plan_faults
from tests.faults.people import market
from tests.faults.poison import GARBLED, Poison, poisons
from tests.faults.rounds import started_in_rounds
from tests.faults.servers import MongoDB
from tests.faults.site import FINAL, PATIENCE_SECONDS, Site
from tests.faults.tally import Tally, write_into_the_documentation
from tests.faults.truth import Figures, Verdict, alike, figures, judge
from tests.market_data.provider_apis import KEYS, alphavantage
from tests.market_data.provider_server import ProviderServer, a_provider_server

_USERS, _PAGE_SIZE = 2_000, 50
_MOST_FAULTS = 6
_ROUNDS = 200
# How a run is started, and how often.
STARTS = {
    "by a trigger": 6,
    "trigger repeated after a worker's death": 2,
    "timer beside a smaller run": 1,
    "slow provider": 1,
}
_PER_MINUTE = 12
"""The requests that the slow provider allows: it is asked for so many symbols in one batch, and for all in several."""
_SLOW_STALL_SECONDS = 240
"""A batch takes a minute there, and each death of its worker another one."""


class Soak:
    """Consecutive runs, each with its own faults; ``tally`` counts the faults and the outcomes."""

    def __init__(self, site: Site, provider: ProviderServer, seed: int) -> None:
        self._site = site
        self._provider = provider
        self._source = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.tally = Tally(seed)
        self._poisons: list[Poison] = []
        self._planned: list[str] = []
        self._undisturbed: Figures = {}
        self._run_seconds = 0.0

    def prepare(self) -> None:
        """Store the users, some of them with poisonous documents, and take the figures of a run without faults."""
        self._site.heal()
        self._site.wire.garbled.update(GARBLED)
        self._poisons = list(poisons())
        for poison in self._poisons:
            poison.write(self._site.database)
        self._planned = [*self._site.user_ids, *(poison.user_id for poison in self._poisons)]
        story = Story(self._site, self._site.trigger())
        self._judge(story)
        self._run_seconds = self._site.record(story.run_id)["metrics"]["total_duration_seconds"]

    def one_run(self) -> None:
        """Start a run, inject its faults, wait for its end, and compare its record with the stored data."""
        self._recover()
        how = self._source.choices(list(STARTS), list(STARTS.values()))[0]
        story = Story(self._site, self._start(how))
        story.injected += [how] if how != "by a trigger" else []
        # The slow provider's prices are in no file.
        spared = PRICES if how == "slow provider" else frozenset[str]()
        faults = plan_faults(self._source, _MOST_FAULTS, self._run_seconds, spared)
        with ThreadPoolExecutor(_MOST_FAULTS) as threads:
            happening = [threads.submit(fault.happen, story) for fault in faults]
        for future in happening:
            future.result()
        self._site.mend()
        for run_id in story.further_runs:
            self._judge(Story(self._site, run_id, same_figures=story.same_figures))
        self._judge(story)

    def _start(self, how: str) -> str:
        """Start the run of all users in one of the ways that may go wrong; return its id."""
        if how == "trigger repeated after a worker's death":
            return self._start_beside_a_death()
        if how == "timer beside a smaller run":
            smaller = self._site.trigger(user_ids=self._site.user_ids[:1])
            self._site.app.fire("nightly_analysis")
            self._site.wait(smaller)
            by_timer = {"trigger.source": "timer"}
            runs = self._site.database.portfolio_analysis_runs
            if not runs.count_documents(by_timer):  # it waited; the host repeats only what it fired by itself
                self._site.app.fire("nightly_analysis")
            eventually(lambda: runs.count_documents(by_timer) == 1, PATIENCE_SECONDS)
            return str(runs.distinct("run_id", by_timer)[0])
        if how == "slow provider":
            return self._start_at_a_slow_provider()
        return self._site.trigger()

    def _start_at_a_slow_provider(self) -> str:
        """Start a run that asks a provider for all prices, which allows few requests and refuses more."""
        self._provider.forget()
        self._provider.requests_per_minute = _PER_MINUTE
        self._site.ensure_app(
            MARKET_DATA_PROVIDER="alphavantage",
            ALPHAVANTAGE_URL=self._provider.url,
            ALPHAVANTAGE_API_KEY=KEYS["alphavantage-api-key"],
            MARKET_DATA_REQUESTS_PER_MINUTE=str(_PER_MINUTE),
            ANALYSIS_STALL_SECONDS=str(_SLOW_STALL_SECONDS),
        )
        self._site.forget_prices()
        return self._site.trigger()

    def _start_beside_a_death(self) -> str:
        """Repeat a trigger with one key until it is answered, while a worker dies."""
        self._site.restart_app()  # its faults may include as many deaths as it survives
        self._site.wait_for_workers()
        key = f"{self._source.getrandbits(64):x}"
        worker, moment = self._source.choice(self._site.workers()), self._source.uniform(0, 0.1)

        def die() -> None:
            time.sleep(moment)  # a random moment: there is no event to wait for
            self._site.kill_worker(worker)

        with ThreadPoolExecutor(1) as threads:
            death = threads.submit(die)
            answered: list[str] = []

            def is_answered() -> bool:
                with suppress(httpx.HTTPError):
                    path, headers = f"{BASE}/trigger-analysis", {"Idempotency-Key": key}
                    answer = self._site.app.client.post(path, headers=headers)
                    assert answer.status_code in {202, 500, 503}, answer.text
                    answered.extend([answer.json()["run_id"]] if answer.status_code == 202 else [])
                return bool(answered)

            eventually(is_answered, PATIENCE_SECONDS)
            death.result()
        assert self._site.database.portfolio_analysis_runs.count_documents({}) == 1
        return answered[0]

    def _recover(self) -> None:
        """Restore the initial state: everything works, and no run holds the lease."""
        self._site.mend()
        self._site.ensure_app()
        active = {"status": {"$nin": list(FINAL)}}
        runs = self._site.database.portfolio_analysis_runs

        def none_is_active() -> bool:
            # A run left by a trigger that died before its answer.
            for left in runs.find(active):
                self._site.age_if_active(left["run_id"], seconds=120)
                self._site.fire_watchdog()
            return runs.count_documents(active) == 0

        eventually(none_is_active, PATIENCE_SECONDS)
        for name in ("portfolio_analysis_runs", "portfolio_analyses", "portfolio_rankings"):
            self._site.database[name].delete_many({})
        self._site.forget_log()

    def _judge(self, story: Story) -> None:
        try:
            run = self._site.wait(story.run_id)
        except (AssertionError, PyMongoError) as error:
            self.tally.add(story, "never over", 0, Verdict(wrong=[str(error)]))
            return
        verdict = judge(self._site, run, planned=self._planned, states=story.may_end_in())
        found = figures(self._site, story.run_id)
        if run["status"].startswith("completed"):
            reasons = {user_id: report["reason"] for user_id, report in found.items() if report["status"] == "failed"}
            if reasons != {poison.user_id: poison.reason for poison in self._poisons if poison.reason}:
                verdict.wrong.append("exactly the users with poisonous documents fail, each with its reason")
        self._undisturbed = self._undisturbed or found
        if story.same_figures and not all(alike(report, self._undisturbed[own]) for own, report in found.items()):
            verdict.wrong.append("the figures are those of an undisturbed run")
        self.tally.add(story, run["status"], len(self._planned), verdict)
        if not verdict.is_clean:
            print(self._site.log(), file=sys.stderr)


def main() -> int:
    """Parse the command line, run for the given time, and write the result."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"ANALYSIS_PAGE_SIZE": str(_PAGE_SIZE), "ANALYSIS_STALL_SECONDS": str(STALL_SECONDS)}
        site = Site(Path(folder) / "site", users=_USERS, **settings)
        try:
            with a_provider_server(alphavantage, market()) as provider:
                soak = Soak(site, provider, arguments.seed)
                soak.prepare()
                while time.monotonic() - started < 60 * arguments.minutes:
                    soak.one_run()
        finally:
            site.close()
        soak.tally.minutes = (time.monotonic() - started) / 60
        soak.tally.rounds = _rounds(Path(folder) / "rounds")
    write_into_the_documentation(soak.tally)
    return 0 if soak.tally.is_clean else 1


def _rounds(folder: Path) -> list[int]:
    """Trigger 50 times at once in each of 200 rounds; return the number of runs started in each."""
    server = MongoDB(folder)
    server.start()
    try:
        with connect(f"mongodb://127.0.0.1:{server.port}/?directConnection=true") as client:
            return [len(started) for started in started_in_rounds(client["portfolio"], _ROUNDS)]
    finally:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
