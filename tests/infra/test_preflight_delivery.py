"""Preflight knows where results go, and what a subscription needs before the first deployment."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from credentials.secrets import Secrets
from devhost import preflight_delivery, preflight_subscription
from devhost.findings import Finding
from devhost.preflight_subscription import PROVIDERS, providers
from settings import Settings
from tests.conftest import free_port
from tests.infra.bicep import ROOT, templates
from tests.infra.storage import a_storage_account

SIGNING = f"whsec_{base64.b64encode(bytes(32)).decode()}"
ON_A_LAPTOP = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "MONGODB_URL": "mongodb://not-used"}
RECEIVER = {"endpoint_id": "crm", "url": "https://crm.example/events", "secret_name": "webhook-crm"}
FRONT_DOOR = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, set[str]]]:
    """Serve the state of resource providers, and yield the address with those that are registered."""
    names = set(PROVIDERS)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, _ = self.path.partition("?")
            name = path.rpartition("/")[2]
            state = "Registered" if name in names else "NotRegistered"
            body = json.dumps({"namespace": name, "registrationState": state}).encode()
            self.send_response(200 if "/subscriptions/mine/" in path else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    monkeypatch.setattr(preflight_subscription, "token", lambda _: "token")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", names
    server.shutdown()
    server.server_close()
    thread.join()


def lacking(findings: Iterator[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.good is False]


def settings(**values: str) -> Settings:
    return Settings.from_environment(ON_A_LAPTOP | values)


def test_the_providers_of_the_templates_are_looked_up_and_documented() -> None:
    everywhere = {"Microsoft.Authorization", "Microsoft.Resources"}
    types = {found.type for template in templates() for found in template.resources()}
    joined = {"Microsoft.App"}  # a subnet is delegated to it
    assert set(PROVIDERS) == {type_.partition("/")[0] for type_ in types} - everywhere | joined
    page = (ROOT / "docs" / "deployment.md").read_text()
    loop = page.split("for provider in ")[1].split("; do")[0]
    assert tuple(loop.replace("\\", "").split()) == PROVIDERS


def test_a_provider_that_is_not_registered_is_named_with_the_command(registered: tuple[str, set[str]]) -> None:
    address, names = registered
    assert [finding.text for finding in providers("mine", address)] == list(PROVIDERS)
    names.remove("Microsoft.DurableTask")
    assert lacking(providers("mine", address)) == [
        "Microsoft.DurableTask is not registered: az provider register --namespace Microsoft.DurableTask"
    ]
    assert lacking(providers("another", address))[0] == f"Microsoft.App: {address} answers 403; is another yours?"
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert lacking(providers("mine", nowhere)) == [f"{nowhere} does not answer (ConnectError)"]


def test_the_secret_of_each_receiver_is_looked_up() -> None:
    webhooks = json.dumps([RECEIVER, RECEIVER | {"endpoint_id": "pager", "secret_name": "webhook-pager"}])

    def told(**secrets: str) -> list[tuple[bool | None, str]]:
        found = settings(WEBHOOKS=webhooks, **secrets)
        return [(finding.good, finding.text) for finding in preflight_delivery.events(found, Secrets(found))]

    assert told(WEBHOOK_CRM=SIGNING) == [
        (True, "crm gets signed events"),
        (False, "pager: its secret webhook-pager is not there"),
    ]
    assert [good for good, _ in told(WEBHOOK_CRM=SIGNING, WEBHOOK_PAGER=SIGNING)] == [True, True]
    (_, (good, text)) = told(WEBHOOK_CRM=SIGNING, WEBHOOK_PAGER="whsec_short")
    assert (good, "a signing secret must be whsec_" in text) == (False, True)


def test_a_topic_that_does_not_answer_is_named() -> None:
    found = settings(EVENT_GRID_ENDPOINT=f"http://127.0.0.1:{free_port()}/api/events")
    assert lacking(preflight_delivery.events(found, Secrets(found))) == [
        "Event Grid at 127.0.0.1 does not answer (ConnectError)"
    ]


def test_a_lake_without_the_role_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_delivery, "token", lambda _: "token")
    with a_storage_account() as storage:
        found = settings(LAKE_URL=f"{storage.url}/blob/reports")
        assert [finding.good for finding in preflight_delivery.lake(found)] == [True]
        storage.allowed.clear()
        (text,) = lacking(preflight_delivery.lake(found))
        assert text.startswith(f"{storage.url}/blob/reports answers 403: assign the role Storage Blob Data Owner")
    assert len(lacking(preflight_delivery.lake(found))) == 1
    assert list(preflight_delivery.lake(settings())) == []


@pytest.mark.parametrize(
    ("values", "good", "word"),
    [
        ({}, None, "TRUSTED_PROXIES is 0"),
        ({"TRUSTED_PROXIES": "1"}, True, "the platform's front end"),
        ({"TRUSTED_PROXIES": "2"}, None, "without FRONT_DOOR_ID and PROXY_NETWORKS"),
        ({"TRUSTED_PROXIES": "2", "FRONT_DOOR_ID": FRONT_DOOR}, True, f"{FRONT_DOOR} (X-Azure-FDID)"),
        ({"TRUSTED_PROXIES": "2", "PROXY_NETWORKS": "203.0.113.0/24"}, True, "203.0.113.0/24"),
    ],
)
def test_it_is_told_how_clients_are_known(values: dict[str, str], good: bool | None, word: str) -> None:
    (finding,) = preflight_delivery.proxies(settings(**values))
    assert finding.good is good
    assert word in finding.text
