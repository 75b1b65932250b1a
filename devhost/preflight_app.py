"""Checks of a deployed app from outside: its health, its administrators' access, and its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from devhost.findings import Finding, missing, ok
from devhost.preflight_database import MOST_SECONDS_APART

_PATIENCE_SECONDS = 60  # an idle app has to start first
_RUNS = "api/admin/portfolio/analysis-runs?limit=1"


def app(url: str, secrets: Secrets) -> Iterator[Finding]:
    """Request the app's health, and its newest run with the admin secret."""
    with httpx.Client(base_url=url, timeout=_PATIENCE_SECONDS) as client:
        try:
            health = client.get("api/health")
        except httpx.HTTPError as error:
            yield missing("app", f"{url} does not answer ({type(error).__name__})")
            return
        if health.status_code == httpx.codes.OK:
            yield ok("app", f"healthy: {health.text}")
        else:
            yield missing("app", f"its health is {health.status_code}: {health.text[:200]}")
        yield from _clock(health)
        yield from _door(client, secrets)


def _clock(answer: httpx.Response) -> Iterator[Finding]:
    date = answer.headers.get("Date")
    if date is None:
        return
    apart = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if apart > MOST_SECONDS_APART:
        yield missing("clock", f"the app's is {apart:.0f} s apart from this machine's: tokens may be refused")
    else:
        yield ok("clock", "as the app's")


def _door(client: httpx.Client, secrets: Secrets) -> Iterator[Finding]:
    try:
        secret = secrets.get("admin-secret")
    except (SecretMissing, SecretsUnavailable):
        return  # reported before
    answer = client.get(_RUNS, headers={"X-Admin-Secret": secret})
    if answer.status_code == httpx.codes.OK:
        yield ok("app", "the admin secret is accepted")
    else:
        yield missing("app", f"it answers {answer.status_code} to the admin secret: does it use another vault?")
