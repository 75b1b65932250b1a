"""The app's settings: read once from the environment, checked, and frozen."""

import os
import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import unquote, urlsplit

from endpoints import SIGNING_PREFIX, Endpoint, EndpointsError, read_endpoints
from fields import Fields, FieldsError
from schedules import EXAMPLE, Schedule, ScheduleError

type ProviderName = Literal["sample", "csv", "alpaca", "alphavantage"]
type Network = IPv4Network | IPv6Network
type KeyName = Literal["alpaca-key-id", "alpaca-secret-key", "alphavantage-api-key"]

PROVIDERS: tuple[str, ...] = get_args(ProviderName.__value__)
MONGODB_SCHEMES = ("mongodb", "mongodb+srv")
REDIS_SCHEMES = ("redis", "rediss", "unix")
DEFAULT_BENCHMARKS = {"sample": "SP500", "csv": "SPY", "alpaca": "SPY", "alphavantage": "SPY"}
_PROVIDERS_WITH_RATES = ("sample", "alphavantage")
ALPACA_FEEDS = ("iex", "sip", "otc")
_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP
MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR
SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV
WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
"""The currencies of ISO 4217, without metals, funds and codes for tests; minor units such as GBX are none."""

NIGHTLY_TIMER = "nightly_analysis"
"""The function that the host fires by ``ANALYSIS_SCHEDULE``."""

SHORTEST_JWT_SECRET_BYTES = 32
"""As long as the digest of HS256 (RFC 7518, 3.2): a shorter secret could be found offline by brute force."""


class SettingsError(Exception):
    """A setting is missing or ill-formed. The message is one line that begins with its name."""


@dataclass(frozen=True, slots=True)
class Oidc:
    """The issuer and the audience of accepted tokens, and the role that marks an administrator."""

    issuer: str
    audience: str
    admin_role: str


@dataclass(frozen=True, slots=True)
class MarketDataServer:
    """The provider's server and its rate limits, for providers that have one."""

    url: str
    feed: str
    requests_per_minute: int
    concurrency: int
    keys: Mapping[str, str] = field(repr=False)
    """By their names in the vault; empty if a vault is set, which then holds them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment decides. Secrets never appear in ``repr``."""

    key_vault_url: str | None
    admin_secret: str | None = field(repr=False)
    jwt_secret: str | None = field(repr=False)
    jwt_issuer: str | None
    jwt_audience: str | None
    oidc: Oidc | None
    mongodb_url: str | None = field(repr=False)
    mongodb_database: str
    fields: Fields
    """Where the fields are in the documents of the backend."""
    redis_url: str | None = field(repr=False)
    market_data_provider: ProviderName
    prices_dir: Path | None
    rates_dir: Path | None
    """The folder of exchange rates; without one, the provider has its own or none."""
    schedule: Schedule
    timer_disabled: bool
    """The host never starts the nightly run; it must be started by other means."""
    market_data_server: MarketDataServer | None
    benchmark_symbol: str
    risk_free_rate: float
    base_currency: str
    """Of everybody whose document names none, and of the prices of symbols without an instrument."""
    page_size: int
    min_success_rate: float
    lookback_days: int
    watchlist_unknown_limit: int
    stall_seconds: int
    retention_days: int
    audit_retention_days: int
    lake_url: str | None
    """The container of the lake; ``lake_dir`` is its folder instead. With neither there is no lake."""
    lake_dir: Path | None
    reports_kept_nights: int | None
    """The runs of everybody whose reports stay in MongoDB, the lake has all; ``None``: as long as the summaries."""
    me_api: bool
    """Whether persons may read their own reports."""
    me_subject_claim: str
    """The claim of their tokens with the id of the user."""
    webhooks: tuple[Endpoint, ...]
    """The receivers of events that the settings name; those of the database are beside them."""
    webhooks_allow_private: bool
    """Whether receivers may have private addresses and no TLS."""
    signing_secrets: Mapping[str, str] = field(repr=False)
    """By the names of their settings, of receivers whose secrets are in no vault."""
    digest: bool
    """Whether each night is told as one message for operators, too."""
    event_source: str
    event_grid_endpoint: str | None
    trusted_proxies: int
    proxy_networks: tuple[Network, ...]
    front_door_id: str | None
    cors_origins: tuple[str, ...]
    platform_sign_in: bool
    development: bool
    """On a laptop, where any token of a local backend is fine."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings in ``environment``, checked.

        Raises:
            SettingsError: the message names the first setting that is missing or ill-formed.
        """
        values = _given(environment)
        key_vault_url = _url(values, "KEY_VAULT_URL", schemes=("https",))
        mongodb_url = _url(values, "MONGODB_URL", schemes=MONGODB_SCHEMES)
        if mongodb_url is None and key_vault_url is None:
            raise SettingsError("MONGODB_URL is missing: set it, or KEY_VAULT_URL where the vault holds mongodb-url")
        provider, prices_dir = _market_data(values)
        proxies, networks, front_door_id = _proxies(values)
        lake_url, lake_dir, kept_nights = _lake(values)
        allow_private = _allow_private(values)
        return cls(
            key_vault_url=key_vault_url,
            admin_secret=values.get("ADMIN_SECRET"),
            jwt_secret=_jwt_secret(values),
            jwt_issuer=values.get("JWT_ISSUER"),
            jwt_audience=values.get("JWT_AUDIENCE"),
            oidc=_oidc(values),
            mongodb_url=mongodb_url,
            mongodb_database=mongodb_database(values),
            fields=_fields(values),
            redis_url=_url(values, "REDIS_URL", schemes=REDIS_SCHEMES),
            market_data_provider=provider,
            prices_dir=prices_dir,
            rates_dir=_rates_dir(values, provider),
            base_currency=_currency(values, "BASE_CURRENCY", default="USD"),
            schedule=_schedule(values, environment),
            timer_disabled=_is_timer_disabled(environment),
            market_data_server=_market_data_server(values, provider),
            benchmark_symbol=_matching(
                values, "BENCHMARK_SYMBOL", default=DEFAULT_BENCHMARKS[provider], pattern=r"[\w^][\w.^=-]{0,31}"
            ),
            risk_free_rate=_number(values, "RISK_FREE_RATE", default=0.0, low=-0.5, high=1.0),
            page_size=_whole(values, "ANALYSIS_PAGE_SIZE", default=200, low=1, high=1000),
            min_success_rate=_number(values, "ANALYSIS_MIN_SUCCESS_RATE", default=0.7, low=0.0, high=1.0),
            lookback_days=_whole(values, "ANALYSIS_LOOKBACK_DAYS", default=1260, low=63, high=12_600),
            watchlist_unknown_limit=_whole(values, "WATCHLIST_UNKNOWN_LIMIT", default=20, low=0, high=5_000),
            stall_seconds=_whole(values, "ANALYSIS_STALL_SECONDS", default=1800, low=1, high=86_400),
            retention_days=_whole(values, "ANALYSIS_RETENTION_DAYS", default=90, low=1, high=3650),
            audit_retention_days=_whole(values, "AUDIT_RETENTION_DAYS", default=365, low=1, high=3650),
            lake_url=lake_url,
            lake_dir=lake_dir,
            reports_kept_nights=kept_nights,
            me_api=_flag(values, "ME_API"),
            me_subject_claim=_matching(values, "ME_SUBJECT_CLAIM", default="sub", pattern=r"[\w.:/-]{1,128}"),
            webhooks=_webhooks(values, allow_private=allow_private),
            webhooks_allow_private=allow_private,
            signing_secrets={name: value for name, value in values.items() if value.startswith(SIGNING_PREFIX)},
            digest=_flag(values, "DIGEST"),
            event_source=_matching(values, "EVENT_SOURCE", default="/portfolio-analysis", pattern=r"[!-~]{1,256}"),
            event_grid_endpoint=_event_grid_endpoint(values),
            trusted_proxies=proxies,
            proxy_networks=networks,
            front_door_id=front_door_id,
            cors_origins=_origins(values),
            platform_sign_in=values.get("WEBSITE_AUTH_ENABLED", "").lower() == "true",
            development=_is_development(values),
        )


def _flag(values: Mapping[str, str], name: str) -> bool:
    value = values.get(name, "0")
    if value not in ("0", "1"):
        raise SettingsError(f"{name} must be 0 or 1, not {value}")
    return value == "1"


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values that are not blank, without white space around them."""
    return {name: value.strip() for name, value in environment.items() if value.strip()}


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)(:[0-9]{1,5})?")


def _url(values: Mapping[str, str], name: str, *, schemes: Collection[str]) -> str | None:
    value = values.get(name)
    if value is not None and not is_server_url(value, schemes):
        # The value may hold a password: the message names the rule, never the value.
        forms = " or ".join(f"{scheme}://" for scheme in schemes)
        raise SettingsError(f"{name} must be a URL that starts with {forms}, names a host, special characters encoded")
    return value


def is_server_url(value: str, schemes: Collection[str]) -> bool:
    """Return whether a driver can parse ``value``. Some drivers quote what they cannot parse, with its password."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    located = bool(parts.path) if parts.scheme == "unix" else all(map(_HOST.fullmatch, hosts))
    return parts.scheme in schemes and located


_DATABASE = r"[\w-]{1,63}"
_DATABASES_OF_THE_SERVER = ("admin", "config", "local")


def mongodb_database(environment: Mapping[str, str]) -> str:
    """Return the name of the database: the one that MONGODB_URL or MONGODB_DATABASE names, else ``portfolio``.

    Raises:
        SettingsError: one of the two is ill-formed, or they name two databases.
    """
    values = _given(environment)
    url = _url(values, "MONGODB_URL", schemes=MONGODB_SCHEMES)
    in_url = database_in(url) if url else None
    if in_url is not None and not re.fullmatch(_DATABASE, in_url):
        # Not the name, which may be the rest of a password with a slash.
        raise SettingsError(f"MONGODB_URL must name a database that matches {_DATABASE}, special characters encoded")
    name = _matching(values, "MONGODB_DATABASE", default=in_url or "portfolio", pattern=_DATABASE)
    if in_url not in (None, name):
        raise SettingsError(
            "MONGODB_DATABASE is not the database that MONGODB_URL names: name it in one of them only "
            "(a database for nothing but the sign-in is the option authSource of the URL)"
        )
    if name in _DATABASES_OF_THE_SERVER:
        setting = "MONGODB_URL" if in_url else "MONGODB_DATABASE"
        raise SettingsError(
            f"{setting} names the database {name}, which is the server's own: name the backend's "
            "(a database for nothing but the sign-in is the option authSource of the URL)"
        )
    return name


def database_in(mongodb_url: str) -> str | None:
    """Return the database that a MongoDB URL names, if it names one."""
    return unquote(urlsplit(mongodb_url).path.removeprefix("/")) or None


def _jwt_secret(values: Mapping[str, str]) -> str | None:
    secret = values.get("JWT_SECRET")
    too_short = secret is not None and len(secret.encode()) < SHORTEST_JWT_SECRET_BYTES
    if too_short and not _is_development(values):  # in development, any secret of a local backend is fine
        raise SettingsError(f"JWT_SECRET must have at least {SHORTEST_JWT_SECRET_BYTES} bytes")
    if secret is not None and "JWT_AUDIENCE" not in values and not _is_development(values):
        raise SettingsError("JWT_AUDIENCE is missing: set it to the audience of the tokens signed with JWT_SECRET")
    return secret


_NAMES_OF_INSTANCES = ("WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME", "CONTAINER_NAME", "LEGION_SERVICE_HOST")


def _is_development(values: Mapping[str, str]) -> bool:
    # A single app setting must not open the door in Azure, whose plans name the app and its instance in their own ways.
    in_azure = "WEBSITE_SITE_NAME" in values and any(name in values for name in _NAMES_OF_INSTANCES)
    return values.get("AZURE_FUNCTIONS_ENVIRONMENT") == "Development" and not in_azure


def _oidc(values: Mapping[str, str]) -> Oidc | None:
    names = ("OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_ADMIN_ROLE")
    missing = [name for name in names if name not in values]
    if len(missing) == len(names):
        return None
    if missing:
        raise SettingsError(f"{missing[0]} is missing: set all of {', '.join(names)}, or none")
    if not is_trusted_url(values["OIDC_ISSUER"], loopback=_is_development(values)):
        raise SettingsError("OIDC_ISSUER must be a URL that starts with https://, without user, query and fragment")
    return Oidc(*(values[name] for name in names))


def is_trusted_url(url: str, *, loopback: bool, query: bool = False) -> bool:
    """Return whether answers of ``url`` can be trusted to come from there: over TLS, or from this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    secure = parts.scheme == "https" or (loopback and parts.scheme == "http" and host in ("127.0.0.1", "localhost"))
    plain = url.isascii() and url.isprintable() and " " not in url and not parts.fragment and (query or not parts.query)
    return secure and plain and _HOST.fullmatch(parts.netloc) is not None


def _matching(values: Mapping[str, str], name: str, *, default: str, pattern: str) -> str:
    value = values.get(name, default)
    if not re.fullmatch(pattern, value):
        raise SettingsError(f"{name} must match {pattern}, not {value}")
    return value


def _market_data(values: Mapping[str, str]) -> tuple[ProviderName, Path | None]:
    prices_dir = Path(values["PRICES_DIR"]) if "PRICES_DIR" in values else None
    name = values.get("MARKET_DATA_PROVIDER")
    if name is None and prices_dir is not None:
        name = "csv"
    elif name is None and _is_development(values):
        # Sample prices are a default for sample holdings on a laptop, never for real holdings in the cloud.
        name = "sample"
    if name not in PROVIDERS:
        raise SettingsError(f"MARKET_DATA_PROVIDER must be one of {', '.join(PROVIDERS)}, not {name or 'missing'}")
    if name == "csv" and (prices_dir is None or not prices_dir.is_dir()):
        raise SettingsError("PRICES_DIR must name an existing folder when MARKET_DATA_PROVIDER is csv")
    return cast("ProviderName", name), prices_dir


def _rates_dir(values: Mapping[str, str], provider: ProviderName) -> Path | None:
    setting = "RATES_DIR"
    if setting not in values and provider not in _PROVIDERS_WITH_RATES:
        setting = "PRICES_DIR"
    if setting not in values:
        return None
    folder = Path(values[setting])
    if not folder.is_dir():
        raise SettingsError(f"{setting} must name an existing folder: exchange rates are read from it")
    return folder


_KEPT_NIGHTS = "REPORTS_KEPT_NIGHTS"


def _lake(values: Mapping[str, str]) -> tuple[str | None, Path | None, int | None]:
    """Return the container or the folder of the lake, and how many nights MongoDB keeps reports beside it."""
    url, folder = values.get("LAKE_URL"), Path(values["LAKE_DIR"]) if "LAKE_DIR" in values else None
    if url is not None and folder is not None:
        raise SettingsError("LAKE_URL and LAKE_DIR exclude each other: set one of them")
    if url is None and folder is None:
        if _KEPT_NIGHTS in values:
            raise SettingsError(f"{_KEPT_NIGHTS} needs a lake, from which older reports are read: set LAKE_URL")
        return None, None, None
    trusted = url is None or is_trusted_url(url, loopback=_is_development(values))
    if not trusted or (url is not None and not urlsplit(url).path.strip("/")):
        raise SettingsError(
            "LAKE_URL must be the URL of a container that starts with https://, without user, query and fragment"
        )
    if folder is not None and not folder.is_dir():
        raise SettingsError("LAKE_DIR must name an existing folder")
    return url, folder, _whole(values, _KEPT_NIGHTS, default=2, low=1, high=3650)


def _currency(values: Mapping[str, str], name: str, *, default: str) -> str:
    value = values.get(name, default)
    if value not in CURRENCIES:
        raise SettingsError(
            f"{name} must be a currency of ISO 4217 in three capital letters such as USD, no minor unit, not {value}"
        )
    return value


def _fields(values: Mapping[str, str]) -> Fields:
    try:
        return Fields.read(values.get("FIELDS", ""))
    except FieldsError as error:
        raise SettingsError(f"FIELDS {error}") from None


def _allow_private(values: Mapping[str, str]) -> bool:
    name = "WEBHOOKS_ALLOW_PRIVATE"
    allowed = _flag(values, name)
    if allowed and not _is_development(values):
        raise SettingsError(f"{name} must be 0 except on a local host: events would be sent into private networks")
    return allowed


def _webhooks(values: Mapping[str, str], *, allow_private: bool) -> tuple[Endpoint, ...]:
    try:
        return read_endpoints(values.get("WEBHOOKS", ""), allow_private=allow_private)
    except EndpointsError as error:
        raise SettingsError(f"WEBHOOKS {error}") from None


def _event_grid_endpoint(values: Mapping[str, str]) -> str | None:
    url = values.get("EVENT_GRID_ENDPOINT")
    if url is not None and not is_trusted_url(url, loopback=_is_development(values)):  # a token is sent there
        raise SettingsError(
            "EVENT_GRID_ENDPOINT must be a URL that starts with https://, without user, query and fragment"
        )
    return url


_SERVERS: Mapping[ProviderName, tuple[str, str, int, tuple[KeyName, ...]]] = {
    "alpaca": ("ALPACA_URL", "https://data.alpaca.markets", 200, ("alpaca-key-id", "alpaca-secret-key")),
    "alphavantage": ("ALPHAVANTAGE_URL", "https://www.alphavantage.co", 5, ("alphavantage-api-key",)),
}


def _market_data_server(values: Mapping[str, str], provider: ProviderName) -> MarketDataServer | None:
    if provider not in _SERVERS:
        return None
    url_setting, default_url, requests_per_minute, keys = _SERVERS[provider]
    url = values.get(url_setting, default_url).rstrip("/")
    if not is_trusted_url(url, loopback=True):  # the key is sent there
        raise SettingsError(f"{url_setting} must be a URL that starts with https://, without user, query and fragment")
    feed = values.get("ALPACA_FEED", ALPACA_FEEDS[0])
    if feed not in ALPACA_FEEDS:
        raise SettingsError(f"ALPACA_FEED must be one of {', '.join(ALPACA_FEEDS)}, not {feed}")
    name = "MARKET_DATA_REQUESTS_PER_MINUTE"
    return MarketDataServer(
        url=url,
        feed=feed,
        requests_per_minute=_whole(values, name, default=requests_per_minute, low=1, high=100_000),
        concurrency=_whole(values, "MARKET_DATA_CONCURRENCY", default=4, low=1, high=32),
        keys={} if "KEY_VAULT_URL" in values else {key: _key(values, key) for key in keys},
    )


def key_setting(name: KeyName) -> str:
    """Return the name of the setting that corresponds to the vault's secret ``name``."""
    return name.upper().replace("-", "_")


def _key(values: Mapping[str, str], name: KeyName) -> str:
    setting = key_setting(name)
    if setting not in values:
        raise SettingsError(f"{setting} is missing: set it, or KEY_VAULT_URL where the vault holds {name}")
    return values[setting]


# As browsers send it: lower case, no path, no trailing slash. Compared as text, so no other form could ever match.
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def _origins(values: Mapping[str, str]) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in values.get("CORS_ORIGINS", "").split(",") if origin.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                "CORS_ORIGINS must be exact origins such as https://admin.example.org, lower case, comma separated"
            )
    return origins


def _proxies(values: Mapping[str, str]) -> tuple[int, tuple[Network, ...], str | None]:
    count = _whole(values, "TRUSTED_PROXIES", default=0, low=0, high=5)
    try:
        networks = tuple(
            ip_network(text.strip()) for text in values.get("PROXY_NETWORKS", "").split(",") if text.strip()
        )
    except ValueError:
        raise SettingsError("PROXY_NETWORKS must be networks such as 203.0.113.0/24, comma separated") from None
    try:
        front_door = str(uuid.UUID(values["FRONT_DOOR_ID"])) if "FRONT_DOOR_ID" in values else None
    except ValueError:
        raise SettingsError("FRONT_DOOR_ID must be the id that the Front Door sends in X-Azure-FDID") from None
    if count < 2 and (networks or front_door):  # noqa: PLR2004 - the proxy next to the app, and the one before it
        raise SettingsError(
            "TRUSTED_PROXIES must be 2 or more with PROXY_NETWORKS or FRONT_DOOR_ID: they name the others"
        )
    return count, networks, front_door


def _schedule(values: Mapping[str, str], environment: Mapping[str, str]) -> Schedule:
    # The host also reads this setting (%ANALYSIS_SCHEDULE%), without a default. If it is missing or invalid, the host
    # leaves out only the nightly timer and runs everything else.
    if "ANALYSIS_SCHEDULE" not in values and not _is_development(values):
        raise SettingsError(f"ANALYSIS_SCHEDULE is missing: set it, for example to {EXAMPLE}")
    # Not stripped, as in the host: a line break at its end is part of the last field there.
    expression = environment["ANALYSIS_SCHEDULE"] if "ANALYSIS_SCHEDULE" in values else EXAMPLE
    try:
        return Schedule.read(expression)
    except ScheduleError as error:
        raise SettingsError(f"ANALYSIS_SCHEDULE {error}") from None


def _is_timer_disabled(environment: Mapping[str, str]) -> bool:
    # The host accepts this one switch, in upper or lower case, and these two values.
    switch = f"AzureWebJobs.{NIGHTLY_TIMER}.Disabled".lower()
    return any(name.lower() == switch and value.lower() in ("1", "true") for name, value in environment.items())


def _number(values: Mapping[str, str], name: str, *, default: float, low: float, high: float) -> float:
    try:
        value = float(values.get(name, default))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SettingsError(f"{name} must be a number from {low:g} to {high:g}, not {values[name]}")
    return value


def _whole(values: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = values.get(name, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise SettingsError(f"{name} must be a whole number from {low} to {high}, not {text}")
    return int(text)
