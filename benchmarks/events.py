"""Events of a night to a receiver on this machine, against a client that does nothing but send the same bytes.

Receiver and database are other processes, and two processes deliver, as the workers of an instance do.
``python -m benchmarks.events N`` delivers N events, by default a million, kills the delivering processes on the way and
prints what arrived.
"""

import base64
import hashlib
import http.client
import json
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import batched, count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from benchmarks.tables import Group, Row
from delivery.deliverer import Deliverer
from delivery.events import Event, cloud_event, event_id
from endpoints import Endpoint, EventType
from records import DeliveryStep
from runs.delivering import deliver
from stores.mongo import connect, own_database
from stores.outbox import OutboxStore
from stores.passes import SLOTS, PassStore
from stores.webhooks import WebhookStore
from tests.faults.servers import MongoDB

if TYPE_CHECKING:
    from runs.services import Services

_SOURCE, _RUN = "/portfolio-analysis", "run_20261127_010000_abcd"
_KIND: EventType = "portfolio-analysis.portfolio.breached"
_SECRET = "whsec_" + base64.b64encode(hashlib.sha256(b"benchmark").digest()).decode()
_PROCESSES, _THREADS = 2, 16
_FEW, _MANY = 20_000, 1_000_000
_SPAWN = multiprocessing.get_context("spawn")


def group() -> Group:
    """Measure, and return the table."""
    found = measured(_FEW)
    bare, ours = found["bare_seconds"], found["seconds"]
    return Group(
        title=f"Events delivered to a receiver on this machine, {_FEW:,} of them",
        unit="events/s",
        ratio_to="the bare client (time)",
        rows=[
            Row("a bare client of http.client", _FEW / bare),
            Row("from the outbox, signed, each on record", _FEW / ours, ours / bare, "<= 2"),
        ],
        notes=[
            f"{_PROCESSES} processes with {_THREADS} threads each; the database and the receiver share the cores.",
            f"{found['ids']:,} different events arrived in {found['requests']:,} requests.",
        ],
    )


def measured(number: int, *, kills: int = 0) -> dict[str, Any]:
    """Return the seconds that both take for so many events, and what arrived, after so many kills on the way."""
    with tempfile.TemporaryDirectory(prefix="events-") as folder:
        mongodb = MongoDB(Path(folder) / "mongodb")
        mongodb.start()
        try:
            url = f"mongodb://127.0.0.1:{mongodb.port}/?directConnection=true"
            with _receiver() as port:
                bare = _timed(_bare, [(port, number // _PROCESSES)] * _PROCESSES)
            _fill(url, number)
            with _receiver() as port:
                shares = [SLOTS[part::_PROCESSES] for part in range(_PROCESSES)]
                ours = _timed(_ours, [(url, port, share) for share in shares], kills=kills)
                arrived = _arrived(port)
        finally:
            mongodb.kill()
    return {"events": number, "bare_seconds": bare, "seconds": ours, "kills": kills, **arrived}


def _timed(work: Any, parts: Sequence[tuple[Any, ...]], kills: int = 0) -> float:  # noqa: ANN401 - a function of parts
    """Return the seconds until all parts are done, each in a process that begins again after a kill."""
    begun = time.monotonic()
    with ThreadPoolExecutor(len(parts)) as threads:
        list(threads.map(lambda part: _carried_out(work, part, kills), parts))
    return time.monotonic() - begun


def _carried_out(work: Any, part: tuple[Any, ...], kills: int) -> None:  # noqa: ANN401
    for attempt in count():
        process = _SPAWN.Process(target=work, args=part)
        process.start()
        if attempt < kills:
            process.join(10)
            process.kill()
        process.join()
        if process.exitcode == 0:
            return
        if attempt >= kills:
            raise RuntimeError(f"a process ended with {process.exitcode}")


@contextmanager
def _receiver() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.events_receiver"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this very interpreter
        try:
            yield int((process.stdout or sys.stdin).readline())
        finally:
            process.kill()


def _arrived(port: int) -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    answer: dict[str, int] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def _bare(port: int, number: int) -> None:
    body = cloud_event(_event(0), _SOURCE)
    headers = {"Content-Type": "application/cloudevents+json", "webhook-id": "evt_0"}

    def send(times: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(times):
            connection.request("POST", "/hook", body, headers)
            connection.getresponse().read()
        connection.close()

    senders = [threading.Thread(target=send, args=[number // _THREADS]) for _ in range(_THREADS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def _ours(url: str, port: int, slots: str) -> None:
    endpoint = Endpoint(endpoint_id="bench", url=f"http://127.0.0.1:{port}/hook", secret_name="bench")  # noqa: S106 - a name
    deliverer = Deliverer(_SOURCE, lambda _: _SECRET, allow_private=True)
    with connect(url) as client:
        database = own_database(client, "portfolio")
        stores = SimpleNamespace(
            outbox=OutboxStore(database),
            passes=PassStore(database),
            webhooks=WebhookStore(database, [endpoint], allow_private=True),
            send=deliverer.send,
        )
        services = cast("Services", stores)
        while left := [slot for own in services.passes.left("bench") for slot in own.left if slot in slots]:
            deliver(services, DeliveryStep("bench", _RUN, left[0]))
    deliverer.close()


def _fill(url: str, number: int) -> None:
    with connect(url) as client:
        database = own_database(client, "portfolio")
        outbox, passes = OutboxStore(database), PassStore(database)
        outbox.ensure_indexes()
        passes.ensure_indexes()
        # MongoDB finds what has expired by this index; the embedded server reads all documents once a minute.
        database["outbox"].drop_index("expires_at")
        for numbers in batched(range(number), 1_000, strict=False):
            outbox.add([_event(each) for each in numbers])
        passes.begin(_RUN, ["bench"])


def _event(number: int) -> Event:
    user_id = f"user-{number:07}"
    rules = [{"rule": "largest_position", "status": "breach", "value": 0.41, "threshold": 0.25}]
    link = f"/api/admin/portfolio/analysis-runs/{_RUN}/portfolios/{user_id}"
    data = {"run_id": _RUN, "user_id": user_id, "as_of": "2026-11-26", "rules": rules, "link": link}
    return Event(event_id(_SOURCE, _RUN, user_id, _KIND), _KIND, user_id, _RUN, datetime.now(UTC), data)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else _MANY
    sys.stdout.write(json.dumps(measured(wanted, kills=2), indent=1) + "\n")
