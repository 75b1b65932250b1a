"""What a start tells once the app can serve: the console first, then its servers and the data that it will use."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from devhost.environment import masked
from devhost.services import Service
from settings import Settings

say = partial(print, flush=True)  # also when piped
CONSOLE = "api/admin/console"


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers in use, and the environment of the app that uses them."""

    environment: Mapping[str, str]
    mongodb: Service
    redis: Service
    only_samples: bool
    """Everything in MongoDB that the app reads is the sample's."""


@dataclass(frozen=True, slots=True)
class Data:
    """A sentence about the users in the database, and one about the prices."""

    users: str
    prices: str


def tell_console(base_url: str) -> None:
    """Print the console's address."""
    say(f"Admin console: {base_url}/{CONSOLE}")


def tell_secret(environment: Mapping[str, str]) -> None:
    """Print the admin secret, unless the caller of this program chose it or a vault holds it."""
    secret = environment.get("ADMIN_SECRET", "")
    if not secret.strip() or secret == os.environ.get("ADMIN_SECRET") or environment.get("KEY_VAULT_URL"):
        return
    say(f"Development admin secret: {secret}")


def tell_servers(servers: Servers, data: Data | None) -> None:
    """Print the servers, and the data that the app will use, if it uses any."""
    say(f"MongoDB at {masked(servers.mongodb.url)}")
    say(f"  {servers.mongodb.description}")
    if data:
        say(f"  {data.users}")
    if data and servers.only_samples:
        say("  sample data: some of these users are broken on purpose")
    say(f"Redis at {masked(servers.redis.url)}")
    say(f"  {servers.redis.description}")
    if data:
        say(f"Prices: {data.prices}")


def data_of(servers: Servers) -> Data:
    """Return the data that our app will use."""
    # Imported late: slow to import, and not needed by the other apps that run on this host.
    from devhost.mongodb import users_in
    from devhost.newest_price import prices_of

    settings, url = Settings.from_environment(servers.environment), servers.mongodb.url
    users = users_in(url, settings.mongodb_database, settings.fields)
    today = datetime.now(UTC).date()
    return Data(f"database {settings.mongodb_database}: {users}", prices_of(settings, url, today))
