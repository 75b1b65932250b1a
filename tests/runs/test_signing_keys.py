"""A signing key that is replaced in the vault while events are delivered, as docs/events.md says how to."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator
from copy import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from credentials.secrets import FRESH_SECONDS, Secrets
from delivery.deliverer import Deliverer
from stores.mongo import DocumentDatabase
from tests.delivery.webhooks.receiver import Exchange, answering
from tests.runs.test_delivering import Site, night_of, site_with
from tests.vault import Vault, a_vault

OLD, NEW = ("whsec_" + base64.b64encode(bytes([first] * 32)).decode() for first in (1, 2))
EVENTS = 400
_accept, _refuse = answering(204), answering(401)


class Keys:
    """The keys that the vault has for the app, and the one that the receiver knows; what the receiver answered."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._lock = threading.Lock()
        self.now = 0.0
        self.known = OLD
        self.answered: Counter[int] = Counter()
        self.signatures: list[int] = []
        """How many each event had, in the order of arrival."""
        self.sign_by(OLD)

    def sign_by(self, *keys: str) -> None:
        """Put the keys into the vault, which the app reads again by then."""
        self.vault.put("signing", " ".join(keys))
        self.now += FRESH_SECONDS + 1

    def receive(self, exchange: Exchange) -> None:
        with self._lock:
            self.signatures.append(len(exchange.request.headers["webhook-signature"].split()))
            status = 204 if self._is_signed(exchange) else 401
            self.answered[status] += 1
            self.rotate(len(self.signatures))
        (_accept if status == 204 else _refuse)(exchange)

    def rotate(self, arrived: int) -> None:
        """Take the three steps of a replacement, each after a hundred events."""
        match arrived:
            case 100:
                self.sign_by(NEW, OLD)
            case 200:
                self.known = NEW
            case 300:
                self.sign_by(NEW)

    def _is_signed(self, exchange: Exchange) -> bool:
        try:
            Webhook(self.known).verify(exchange.request.body, exchange.request.headers)
        except WebhookVerificationError:
            return False
        return True


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    with a_vault(tmp_path) as vault:
        yield Keys(vault)


@pytest.fixture
def site(database: DocumentDatabase, mongodb_url: str, keys: Keys) -> Iterator[Site]:
    """Yield a site whose signing keys are in the vault."""
    with site_with(database, mongodb_url, "ops") as made:
        in_vault = replace(made.services.settings, key_vault_url=keys.vault.url)
        secrets = Secrets(in_vault, keys.vault.client, clock=lambda: keys.now)
        deliverer = Deliverer("/portfolio-analysis", secrets.signing, allow_private=True)
        made.services = replace(made.services, send=deliverer.send)
        made.receivers["ops"].behavior = keys.receive
        yield made
        deliverer.close()


def test_a_key_that_is_replaced_during_a_delivery_costs_no_event_a_second_attempt(site: Site, keys: Keys) -> None:
    night_of(site, EVENTS)
    site.deliver()
    assert keys.answered == {204: EVENTS}
    assert {event["subject"] for event in site.received()} == {f"u{number}" for number in range(EVENTS)}
    assert site.statuses() == {}  # no event needed a delivery of its own
    assert [count for count, _ in groupby(keys.signatures)] == [1, 2, 1]


def test_events_that_a_receiver_with_the_new_key_refuses_arrive_once_the_app_has_it_too(
    site: Site, keys: Keys, database: DocumentDatabase
) -> None:
    keys.known = NEW
    night_of(site, 20)
    site.deliver()
    assert (keys.answered, site.statuses()) == ({401: 20}, {"pending": 20})
    keys.sign_by(NEW)
    database.deliveries.update_many({}, {"$set": {"due_at": datetime.now(UTC)}})
    site.deliver()
    assert (keys.answered, site.statuses()) == ({401: 20, 204: 20}, {"delivered": 20})
