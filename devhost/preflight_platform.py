"""Checks of the settings that only the host and the Durable extension read."""

from collections.abc import Iterator, Mapping

from devhost.findings import Finding, missing, note, ok
from functions.http.requests import MAX_BODY_BYTES

BODY_LIMIT_SETTING = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
LARGEST_BODY_LIMIT = 131_072
HOMEPAGE_SETTING = "AzureWebJobsDisableHomepage"
POLLING_SETTING = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__maxQueuePollingInterval"
_LISTENER_SETTING, _PROTOCOL_SETTING = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
_PROTOCOL = "http/protobuf"


def platform(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check whether the host has the settings that the code cannot replace."""
    yield _body_limit(environment.get(BODY_LIMIT_SETTING, "").strip())
    if environment.get(HOMEPAGE_SETTING, "").strip().lower() == "true":
        yield ok("platform", "no page of the platform at /")
    else:
        yield missing("platform", f"{HOMEPAGE_SETTING} is not true: / shows a page of the platform to everyone")
    yield from _telemetry(environment)
    yield from _polling(environment)


def _body_limit(text: str) -> Finding:
    if not text.isdecimal():
        found = "is not set" if not text else f"is not a number: {text}"
        return missing(
            "platform", f"{BODY_LIMIT_SETTING} {found}: set {LARGEST_BODY_LIMIT}, or bodies of 100 MB are held"
        )
    if int(text) > LARGEST_BODY_LIMIT:
        return missing("platform", f"{BODY_LIMIT_SETTING} is {text}: set {LARGEST_BODY_LIMIT}, or less memory is left")
    if int(text) < MAX_BODY_BYTES:
        return missing("platform", f"{BODY_LIMIT_SETTING} is {text}: the API takes {MAX_BODY_BYTES}")
    return ok("platform", f"bodies of more than {text} bytes are refused")


def _telemetry(environment: Mapping[str, str]) -> Iterator[Finding]:
    if not environment.get(_LISTENER_SETTING, "").strip():
        return
    protocol = environment.get(_PROTOCOL_SETTING, "").strip()
    if protocol == _PROTOCOL:
        yield ok("telemetry", f"host and workers speak {_PROTOCOL}")
    else:
        found = f"is {protocol}" if protocol else "is not set"
        yield missing(
            "telemetry", f"{_PROTOCOL_SETTING} {found}: set {_PROTOCOL}, or the host speaks gRPC and its spans are lost"
        )


def _polling(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the polling setting if FUNCTIONS_WORKER_RUNTIME is set: everywhere except on Flex Consumption."""
    elsewhere = environment.get("FUNCTIONS_WORKER_RUNTIME") and not environment.get("DURABLE_TASK_SCHEDULER")
    if elsewhere and not environment.get(POLLING_SETTING):
        yield note("platform", f"{POLLING_SETTING} is not set: off Flex Consumption a run may begin half a minute late")
