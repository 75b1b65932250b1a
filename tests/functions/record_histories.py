"""Record the engine's history of a run, of a run in groups, and of a delivery of events, for ``test_replay``.

``python -m tests.functions.record_histories`` writes them into the folder of the version in host.json; with
``DURABLE_HOST`` and Azurite it writes those of the real Durable extension, into a folder ``azure_storage-*``. Run it
once for each version, on both engines, before the version is deployed.
"""

import asyncio
import base64
import json
import os
import socket
from pathlib import Path
from unittest import mock

import httpx
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import json_format

from devhost.environment import app_environment, local_settings
from devhost.extension_engine import PROGRAM
from devhost.host import functions_host
from devhost.messages import HttpRequest, HttpResponse
from devhost.services import embedded_mongodb, embedded_redis
from devhost.worker_pool import WorkerPool
from functions.orchestration import MAX_FAN_OUT
from stores.mongo import connect

ROOT = Path(__file__).parent.parent.parent
HISTORIES = Path(__file__).parent / "histories"
_ORCHESTRATORS = ("portfolio_analysis", "batch_group", "event_delivery")
_WEBHOOKS = json.dumps([{"endpoint_id": "ops", "url": "http://127.0.0.1:9/", "secret_name": "signing"}])
"""A receiver that is not there: its events wait for another attempt."""


async def record(users: int, page_size: int) -> dict[str, pb.OrchestratorRequest]:
    """Return the last request to each orchestration of a run over ``users``, which contains its whole history.

    Of the delivery, which begins again and again, it is the one after the most steps.
    """
    requests: dict[str, pb.OrchestratorRequest] = {}
    invoke = WorkerPool.invoke

    async def listen(
        pool: WorkerPool, function: str, trigger: HttpRequest | str, traceparent: str = ""
    ) -> HttpResponse | str | None:
        if function in _ORCHESTRATORS:
            request = pb.OrchestratorRequest.FromString(base64.b64decode(str(trigger)))
            before = requests.get(request.instanceId)
            if function != "event_delivery" or before is None or _steps(before) < _steps(request):
                requests[request.instanceId] = request
        return await invoke(pool, function, trigger, traceparent)

    with (
        mock.patch.object(WorkerPool, "invoke", listen),
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        async with embedded_mongodb(None) as mongodb, embedded_redis(None) as redis:
            _fill(mongodb.url, users)
            own = {"MONGODB_URL": mongodb.url, "REDIS_URL": redis.url}
            signing = base64.b64encode(bytes(32)).decode()
            told = {"WEBHOOKS": _WEBHOOKS, "WEBHOOKS_ALLOW_PRIVATE": "1", "SIGNING": f"whsec_{signing}"}
            local = local_settings(ROOT) | {"ANALYSIS_PAGE_SIZE": str(page_size)} | told
            async with functions_host(ROOT, app_environment(local, os.environ, own), listener) as host:
                await _run(host.base_url, local["ADMIN_SECRET"])
                while not any(name.startswith("delivery-") and _steps(own) > 1 for name, own in requests.items()):  # noqa: ASYNC110 - likewise
                    await asyncio.sleep(0.2)
    return requests


def _fill(url: str, users: int) -> None:
    with connect(url) as client:
        user_ids = [f"u{number:03}" for number in range(users)]
        client["portfolio"].users.insert_many({"user_id": user_id} for user_id in user_ids)
        client["portfolio"].holdings.insert_many(
            {"user_id": user_id, "symbol": "AAPL", "quantity": 1, "avg_price": 1} for user_id in user_ids
        )


async def _run(base_url: str, secret: str) -> None:
    async with httpx.AsyncClient(
        base_url=base_url, headers={"X-Admin-Secret": secret}, timeout=60, trust_env=False
    ) as client:
        started = await client.post("/api/admin/portfolio/trigger-analysis")
        while (await client.get(started.json()["status_url"])).json()["status"] in ("queued", "running"):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)  # the record has its end before the orchestration has


def main() -> None:
    """Record the histories and write them."""
    version = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]["defaultVersion"]
    folder = HISTORIES / (f"azure_storage-{version}" if os.environ.get(PROGRAM) else version)
    folder.mkdir(parents=True, exist_ok=True)
    small = asyncio.run(record(users=12, page_size=5))
    grouped = asyncio.run(record(users=MAX_FAN_OUT + 3, page_size=1))
    groups = [request for request in grouped.values() if ":" in request.instanceId]
    named = {
        "run": _of_run(small),
        "delivery": next(request for name, request in small.items() if name.startswith("delivery-")),
        "grouped_run": _of_run(grouped),
        "group": min(groups, key=lambda request: request.ByteSize()),
    }
    for name, request in named.items():
        (folder / f"{name}.json").write_text(json_format.MessageToJson(request) + "\n")


def _steps(request: pb.OrchestratorRequest) -> int:
    return sum(event.HasField("taskCompleted") for event in (*request.pastEvents, *request.newEvents))


def _of_run(requests: dict[str, pb.OrchestratorRequest]) -> pb.OrchestratorRequest:
    return next(request for name, request in requests.items() if name.startswith("run_") and ":" not in name)


if __name__ == "__main__":
    main()
