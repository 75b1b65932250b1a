import json
from pathlib import Path
from typing import Any

import pytest

from endpoints import EVENT_TYPES, Endpoint, EndpointsError, read_endpoint
from settings import MarketDataServer, Oidc, Settings, SettingsError

LOCAL = {"MONGODB_URL": "mongodb://localhost", "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
IN_AZURE = {"MARKET_DATA_PROVIDER": "sample", "ANALYSIS_SCHEDULE": "0 0 1 * * *"}
"""The settings that have no default in Azure."""


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = Settings.from_environment(LOCAL)
    assert (settings.mongodb_database, settings.market_data_provider, settings.benchmark_symbol) == (
        "portfolio",
        "sample",
        "SP500",
    )
    assert (settings.risk_free_rate, settings.page_size, settings.min_success_rate, settings.lookback_days) == (
        0.0,
        200,
        0.7,
        1260,
    )
    assert (settings.key_vault_url, settings.redis_url, settings.admin_secret) == (None, None, None)


def test_a_folder_of_prices_means_the_csv_provider_and_the_usual_benchmark(tmp_path: Path) -> None:
    settings = Settings.from_environment(LOCAL | {"PRICES_DIR": str(tmp_path)})
    assert (settings.market_data_provider, settings.benchmark_symbol) == ("csv", "SPY")


@pytest.mark.parametrize("currency", ["USD", "EUR", "GBP", "ILS", "KES"])
def test_the_base_currency_is_any_of_iso_4217(currency: str) -> None:
    assert Settings.from_environment(LOCAL | {"BASE_CURRENCY": f" {currency} "}).base_currency == currency
    assert Settings.from_environment(LOCAL).base_currency == "USD"


ALPACA = {"MARKET_DATA_PROVIDER": "alpaca", "ALPACA_KEY_ID": "x", "ALPACA_SECRET_KEY": "y"}
ALPHA_VANTAGE = {"MARKET_DATA_PROVIDER": "alphavantage", "ALPHAVANTAGE_API_KEY": "x"}


@pytest.mark.parametrize(
    ("environment", "from_prices_dir"),
    [({"MARKET_DATA_PROVIDER": "csv"}, True), (ALPACA, True), (ALPHA_VANTAGE, False), (IN_AZURE, False)],
)
def test_rates_come_from_their_folder_or_that_of_the_prices_where_the_provider_has_none(
    environment: dict[str, str], from_prices_dir: bool, tmp_path: Path
) -> None:
    own, prices = tmp_path / "rates", tmp_path / "prices"
    own.mkdir()
    prices.mkdir()
    values = LOCAL | environment | {"PRICES_DIR": str(prices)}
    assert Settings.from_environment(values).rates_dir == (prices if from_prices_dir else None)
    assert Settings.from_environment(values | {"RATES_DIR": str(own)}).rates_dir == own
    prices.rmdir()
    if from_prices_dir:
        with pytest.raises(SettingsError, match=r"^PRICES_DIR must name an existing folder"):
            Settings.from_environment(values)


@pytest.mark.parametrize(
    ("url", "given", "used"),
    [
        ("mongodb://localhost", "", "portfolio"),
        ("mongodb://localhost/?appName=x", "", "portfolio"),
        ("mongodb://localhost", "shop", "shop"),
        ("mongodb://u:pw@a:27017,b:27018/shop?authSource=admin", "", "shop"),
        ("mongodb+srv://cluster.example/sh%6Fp", " shop ", "shop"),
    ],
)
def test_the_database_is_the_one_that_the_url_or_the_setting_names(url: str, given: str, used: str) -> None:
    assert Settings.from_environment(LOCAL | {"MONGODB_URL": url, "MONGODB_DATABASE": given}).mongodb_database == used


@pytest.mark.parametrize("other", ["Shop", "portfolio"])
def test_two_databases_that_differ_are_refused_with_both_settings_and_without_the_url(other: str) -> None:
    url = "mongodb://user:hidden@db.example/shop"
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(LOCAL | {"MONGODB_URL": url, "MONGODB_DATABASE": other})
    assert str(caught.value) == (
        "MONGODB_DATABASE is not the database that MONGODB_URL names: name it in one of them only "
        "(a database for nothing but the sign-in is the option authSource of the URL)"
    )


def test_the_database_may_be_named_by_the_vault() -> None:
    assert Settings.from_environment(IN_AZURE | {"KEY_VAULT_URL": "https://vault.example"}).mongodb_url is None


def test_no_secret_is_shown() -> None:
    secret = "do-not-show-me"
    shown = repr(
        Settings.from_environment(
            LOCAL
            | {
                "ADMIN_SECRET": secret,
                "JWT_SECRET": secret * 3,
                "MONGODB_URL": f"mongodb://u:{secret}@localhost",
                "REDIS_URL": f"redis://:{secret}@localhost",
                "MARKET_DATA_PROVIDER": "alpaca",
                "ALPACA_KEY_ID": secret,
                "ALPACA_SECRET_KEY": secret,
            }
        )
    )
    assert "alpaca" in shown
    assert secret not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URL", ""),
        ("MONGODB_URL", "postgres://u:pw@localhost"),
        ("MONGODB_URL", "mongodb://"),
        ("MONGODB_URL", "mongodb://u:pw@host:badport"),
        ("MONGODB_URL", "mongodb://u:pw[ss@host"),
        ("MONGODB_URL", "mongodb://u:p/pw@host"),
        ("MONGODB_URL", "mongodb://u:12/pw@host"),
        ("MONGODB_URL", "mongodb://u:pw@host/admin"),
        ("MONGODB_DATABASE", "a/b"),
        ("MONGODB_DATABASE", "local"),
        ("BENCHMARK_SYMBOL", "../x"),
        ("KEY_VAULT_URL", "http://vault.example"),
        ("KEY_VAULT_URL", "https://"),
        ("KEY_VAULT_URL", "https://[abc"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://:pw/ss@127.0.0.1:6379"),
        ("REDIS_URL", "unix://"),
        ("MARKET_DATA_PROVIDER", "yahoo"),
        ("PRICES_DIR", "/does/not/exist"),
        ("RATES_DIR", "/does/not/exist"),
        ("RATES_DIR", "README.md"),
        ("BASE_CURRENCY", "usd"),
        ("BASE_CURRENCY", "US"),
        ("BASE_CURRENCY", "USDX"),
        ("BASE_CURRENCY", "XYZ"),
        ("BASE_CURRENCY", "GBX"),
        ("BASE_CURRENCY", "GBp"),
        ("BASE_CURRENCY", "ZAc"),
        ("BASE_CURRENCY", "ILA"),
        ("RISK_FREE_RATE", "five"),
        ("RISK_FREE_RATE", "nan"),
        ("ANALYSIS_PAGE_SIZE", "0"),
        ("ANALYSIS_PAGE_SIZE", "1.5"),
        ("ANALYSIS_MIN_SUCCESS_RATE", "1.1"),
        ("ANALYSIS_LOOKBACK_DAYS", "-1"),
        ("ANALYSIS_SCHEDULE", "0 1 * * *"),
        ("ANALYSIS_SCHEDULE", "0 0 1 * * ?!"),
        ("ANALYSIS_SCHEDULE", "0 0 1 * * *\n"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "6"),
        ("TRUSTED_PROXIES", "X-Forwarded-For"),
        ("PROXY_NETWORKS", "203.0.113.1/24"),
        ("PROXY_NETWORKS", "AzureFrontDoor.Backend"),
        ("FRONT_DOOR_ID", "portfolio"),
        ("AUDIT_RETENTION_DAYS", "0"),
        ("LAKE_URL", "https://account.blob.core.windows.net"),
        ("LAKE_URL", "https://account.blob.core.windows.net/reports?sig=secret"),
        ("LAKE_URL", "http://account.blob.core.windows.net/reports"),
        ("LAKE_DIR", "nowhere/at/all"),
        ("REPORTS_KEPT_NIGHTS", "2"),
        ("WEBHOOKS", "https://u:pw@hooks.example"),
        ("WEBHOOKS", '[{"endpoint_id": "crm", "url": "https://u:pw@hooks.example", "secret_name": "webhook-crm"}]'),
        ("WEBHOOKS_ALLOW_PRIVATE", "yes"),
        ("EVENT_SOURCE", "a b"),
        ("EVENT_SOURCE", "/é"),
        ("EVENT_SOURCE", "x" * 257),
        ("EVENT_GRID_ENDPOINT", "http://topic.example/api/events"),
        ("EVENT_GRID_ENDPOINT", "https://u:pw@hooks.example/api/events"),
        ("EVENT_GRID_ENDPOINT", "https://topic.example/api/events?sig=pw"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://*.example.org"),
        ("CORS_ORIGINS", "https://Admin.example.org"),
        ("CORS_ORIGINS", "https://admin.example.org/"),
        ("CORS_ORIGINS", "https://admin.example.org, admin.example.org"),
        ("CORS_ORIGINS", "https://u:pw@admin.example.org"),
    ],
)
def test_an_ill_formed_setting_is_named_in_one_line_that_shows_no_password(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(LOCAL | {name: value})
    message = str(caught.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert "pw" not in message


def test_in_azure_a_key_of_the_backend_needs_the_audience_of_its_tokens() -> None:
    environment = LOCAL | IN_AZURE | {"JWT_SECRET": "k" * 32, "AZURE_FUNCTIONS_ENVIRONMENT": "Production"}
    with pytest.raises(SettingsError, match=r"^JWT_AUDIENCE is missing: set it to the audience"):
        Settings.from_environment(environment)
    assert Settings.from_environment(environment | {"JWT_AUDIENCE": "admin"}).jwt_audience == "admin"


@pytest.mark.parametrize("secret", ["pw" * 15, "é" * 15 + "p"])
def test_a_short_key_of_tokens_is_refused_except_on_a_laptop(secret: str) -> None:
    environment = LOCAL | IN_AZURE | {"JWT_SECRET": secret}
    assert Settings.from_environment(environment).jwt_secret == secret
    with pytest.raises(SettingsError, match="JWT_SECRET must have at least 32 bytes"):
        Settings.from_environment(environment | {"AZURE_FUNCTIONS_ENVIRONMENT": "Production"})


def test_sample_prices_are_never_a_default_in_the_cloud() -> None:
    with pytest.raises(SettingsError, match=r"^MARKET_DATA_PROVIDER"):
        Settings.from_environment({"MONGODB_URL": "mongodb://localhost"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URL", "mongodb://a:27017,b.example:27018/db?replicaSet=rs"),
        ("MONGODB_URL", "mongodb+srv://u:p%2Fw@cluster.example/?tls=true"),
        ("MONGODB_URL", "mongodb://[::1]:27017"),
        ("REDIS_URL", "rediss://:secret@cache.example:6380/0"),
        ("REDIS_URL", "unix:///var/run/redis.sock"),
    ],
)
def test_urls_of_every_usual_kind_are_accepted(name: str, value: str) -> None:
    settings = Settings.from_environment(LOCAL | {name: value})
    assert value in (settings.mongodb_url, settings.redis_url)


OIDC = {"OIDC_ISSUER": "https://login.example/tenant/v2.0", "OIDC_AUDIENCE": "api://app", "OIDC_ADMIN_ROLE": "Admin"}


def test_an_issuer_is_accepted_with_audience_and_role_together() -> None:
    assert Settings.from_environment(LOCAL).oidc is None
    assert Settings.from_environment(LOCAL | OIDC).oidc == Oidc(
        "https://login.example/tenant/v2.0", "api://app", "Admin"
    )


@pytest.mark.parametrize("name", sorted(OIDC))
def test_an_issuer_without_one_of_the_three_is_refused_and_the_missing_setting_named(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} is missing"):
        Settings.from_environment(LOCAL | OIDC | {name: " "})


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example",
        "http://127.0.0.1.login.example",
        "http://127.0.0.1@login.example",
        "https://user:pw@login.example",
        "https://",
        "https:///tenant",
        "https://login.example?tenant=1",
        "https://login.example#x",
        "https://login.example/a b",
        "https://lögin.example",
        "https://[abc",
        "ftp://login.example",
        "file:///etc/passwd",
        "login.example",
    ],
)
def test_an_issuer_that_could_be_impersonated_is_refused(issuer: str) -> None:
    with pytest.raises(SettingsError, match=r"^OIDC_ISSUER must be"):
        Settings.from_environment(LOCAL | OIDC | {"OIDC_ISSUER": issuer})


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8080/tenant", "http://localhost:8080"])
def test_an_issuer_on_this_machine_needs_no_tls_on_a_laptop_only(issuer: str) -> None:
    environment = LOCAL | IN_AZURE | OIDC | {"OIDC_ISSUER": issuer}
    assert Settings.from_environment(environment).oidc
    with pytest.raises(SettingsError, match=r"^OIDC_ISSUER must be"):
        Settings.from_environment(environment | {"AZURE_FUNCTIONS_ENVIRONMENT": "Production"})


def test_origins_are_a_list_of_exact_ones_and_none_by_default() -> None:
    assert Settings.from_environment(LOCAL).cors_origins == ()
    settings = Settings.from_environment(LOCAL | {"CORS_ORIGINS": "https://a.example.org:8443 ,http://localhost:3000,"})
    assert settings.cors_origins == ("https://a.example.org:8443", "http://localhost:3000")


def test_no_proxy_is_trusted_by_default() -> None:
    settings = Settings.from_environment(LOCAL)
    assert (settings.trusted_proxies, settings.proxy_networks, settings.front_door_id) == (0, (), None)


FRONT_DOOR_ID = "a1b2c3d4-0000-4000-8000-00000000000f"


@pytest.mark.parametrize("named", [{"PROXY_NETWORKS": "203.0.113.0/24"}, {"FRONT_DOOR_ID": FRONT_DOOR_ID}])
def test_proxies_before_the_one_next_to_the_app_are_also_counted(named: dict[str, str]) -> None:
    for count in ("0", "1"):
        with pytest.raises(SettingsError, match=r"^TRUSTED_PROXIES must be 2 or more with"):
            Settings.from_environment(LOCAL | named | {"TRUSTED_PROXIES": count})
    assert Settings.from_environment(LOCAL | named | {"TRUSTED_PROXIES": "2"}).trusted_proxies == 2


def test_the_networks_of_proxies_are_a_list_and_the_id_of_a_front_door_has_one_form() -> None:
    given = {
        "TRUSTED_PROXIES": "2",
        "PROXY_NETWORKS": "203.0.113.0/24, 2001:db8::/32,",
        "FRONT_DOOR_ID": FRONT_DOOR_ID.upper(),
    }
    settings = Settings.from_environment(LOCAL | given)
    assert [str(network) for network in settings.proxy_networks] == ["203.0.113.0/24", "2001:db8::/32"]
    assert settings.front_door_id == FRONT_DOOR_ID


def an_endpoint(**others: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"endpoint_id": "crm", "url": "https://crm.example/events?key=1", "secret_name": "webhook-crm"} | others


def with_webhooks(*endpoints: object) -> dict[str, str]:
    return LOCAL | {"WEBHOOKS": json.dumps(endpoints)}


def test_there_are_no_receivers_of_events_by_default() -> None:
    settings = Settings.from_environment(LOCAL)
    assert (settings.webhooks, settings.webhooks_allow_private) == ((), False)
    assert (settings.event_source, settings.event_grid_endpoint) == ("/portfolio-analysis", None)


def test_receivers_get_the_types_of_events_that_they_name_or_all() -> None:
    digest = ["portfolio-analysis.digest"]
    everything, some = Settings.from_environment(
        with_webhooks(an_endpoint(), an_endpoint(endpoint_id="2-b", types=digest))
    ).webhooks
    assert everything == Endpoint(
        endpoint_id="crm",
        url="https://crm.example/events?key=1",
        types=EVENT_TYPES,
        secret_name="webhook-crm",
    )
    assert (some.endpoint_id, some.types) == ("2-b", tuple(digest))


def test_the_url_of_a_receiver_is_not_shown() -> None:
    settings = Settings.from_environment(with_webhooks(an_endpoint()))
    assert "Endpoint('crm')" in repr(settings)
    assert "key=1" not in repr(settings)


@pytest.mark.parametrize(
    ("endpoints", "rule"),
    [
        ("crm", "Expected `array`, got `str`"),
        (an_endpoint(), "Expected `array`, got `object`"),
        (["crm"], "Expected `object`, got `str` - at `$[0]`"),
        ([an_endpoint(), an_endpoint(active=True)], "Object contains unknown field `active` - at `$[1]`"),
        ([{"endpoint_id": "crm", "secret_name": "x"}], "Object missing required field `url` - at `$[0]`"),
        ([an_endpoint(types=[])], "Expected `array` of length >= 1 - at `$[0].types`"),
        ([an_endpoint(types=["run.ended"])], "Invalid enum value 'run.ended' - at `$[0].types[0]`"),
        ([an_endpoint(), an_endpoint(secret_name="x")], "has two endpoints with the endpoint_id crm"),
        ([an_endpoint(endpoint_id="")], "at `$[0].endpoint_id`"),
        ([an_endpoint(endpoint_id="-a")], "at `$[0].endpoint_id`"),
        ([an_endpoint(endpoint_id="CRM")], "at `$[0].endpoint_id`"),
        ([an_endpoint(endpoint_id="crm\n")], "at `$[0].endpoint_id`"),
        ([an_endpoint(endpoint_id="a" * 64)], "at `$[0].endpoint_id`"),
        ([an_endpoint(secret_name="webhook_crm")], "at `$[0].secret_name`"),
        ([an_endpoint(secret_name="a" * 128)], "at `$[0].secret_name`"),
    ],
)
def test_ill_formed_receivers_are_refused_by_the_rule_they_break(endpoints: object, rule: str) -> None:
    with pytest.raises(SettingsError, match=r"^WEBHOOKS [^\n]+$") as caught:
        Settings.from_environment(LOCAL | {"WEBHOOKS": json.dumps(endpoints)})
    assert rule in str(caught.value)


UNUSABLE_URLS = [
    "", "crm.example/pw", "ftp://crm.example/pw", "https:///pw", "https://u@crm.example/pw", "https://u:pw@crm.example",
    "https://@crm.example/pw", "https://crm.example/pw#x", "https://crm.example/pw#", "https://crm.example/p w",
    "https://crm.example/pw\r\nHost: x", "https://crm.example:0/pw", "https://crm.example:65536/pw",
    "https://crm.example:/pw", "https://crm.example\\@localhost/pw", "https://crm.éxample/pw", "https://.example/pw",
    "https://[::1/pw", "https://[fe80::1%25eth0]/pw", "https://crm%2eexample/pw", "https://crm.example/" + "pw" * 1024,
]  # fmt: skip


@pytest.mark.parametrize("url", [*UNUSABLE_URLS, "http://crm.example/pw"])
def test_the_url_of_a_receiver_has_tls_and_a_host_and_is_not_shown_if_it_cannot_be_used(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^WEBHOOKS must have for crm a url that starts with https:// ") as caught:
        Settings.from_environment(with_webhooks(an_endpoint(url=url)))
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://[::1]:8080/a?b=c", "https://127.0.0.1/", "https://xn--bcher-kva.example./"]
)
def test_on_a_laptop_receivers_may_be_private_and_have_no_tls_if_it_is_allowed(url: str) -> None:
    environment = with_webhooks(an_endpoint(url=url)) | {"WEBHOOKS_ALLOW_PRIVATE": "1"}
    assert Settings.from_environment(environment).webhooks[0].url == url
    with pytest.raises(SettingsError, match=r"^WEBHOOKS_ALLOW_PRIVATE must be 0 except on a local host"):
        Settings.from_environment(environment | IN_AZURE | {"AZURE_FUNCTIONS_ENVIRONMENT": "Production"})


@pytest.mark.parametrize("url", UNUSABLE_URLS)
def test_what_is_allowed_on_a_laptop_is_a_url_all_the_same(url: str) -> None:
    with pytest.raises(EndpointsError, match=r"starts with https:// or http:// and names a host"):
        read_endpoint(an_endpoint(url=url), allow_private=True)


def test_one_receiver_is_read_by_the_same_rules() -> None:
    assert read_endpoint(an_endpoint(), allow_private=False).secret_name == "webhook-crm"
    with pytest.raises(EndpointsError, match=r"^must be an endpoint: Object missing required field `endpoint_id`$"):
        read_endpoint({}, allow_private=False)


@pytest.mark.parametrize("source", ["/portfolio-analysis/staging", "https://portfolio.example.com/", "urn:x:y"])
def test_the_source_of_events_is_any_uri_reference(source: str) -> None:
    assert Settings.from_environment(LOCAL | {"EVENT_SOURCE": f" {source} "}).event_source == source


@pytest.mark.parametrize(
    "url", ["https://topic.westeurope-1.eventgrid.azure.net/api/events", "http://127.0.0.1:8080/api/events"]
)
def test_a_topic_of_event_grid_needs_tls_except_on_a_laptop(url: str) -> None:
    assert Settings.from_environment(LOCAL | {"EVENT_GRID_ENDPOINT": url}).event_grid_endpoint == url


ALPACA = {"MARKET_DATA_PROVIDER": "alpaca", "ALPACA_KEY_ID": "id", "ALPACA_SECRET_KEY": "secret"}
ALPHAVANTAGE = {"MARKET_DATA_PROVIDER": "alphavantage", "ALPHAVANTAGE_API_KEY": "key"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            ALPACA,
            MarketDataServer(
                "https://data.alpaca.markets", "iex", 200, 4, {"alpaca-key-id": "id", "alpaca-secret-key": "secret"}
            ),
        ),
        (
            ALPHAVANTAGE,
            MarketDataServer("https://www.alphavantage.co", "iex", 5, 4, {"alphavantage-api-key": "key"}),
        ),
    ],
)
def test_a_provider_with_a_server_has_its_usual_address_and_limits(
    environment: dict[str, str], expected: MarketDataServer
) -> None:
    settings = Settings.from_environment(LOCAL | environment)
    assert settings.market_data_server == expected
    assert settings.benchmark_symbol == "SPY"


def test_a_provider_without_a_server_has_none() -> None:
    assert Settings.from_environment(LOCAL).market_data_server is None


def test_address_feed_and_limits_of_a_provider_may_be_set() -> None:
    settings = Settings.from_environment(
        LOCAL
        | ALPACA
        | {
            "ALPACA_URL": "http://127.0.0.1:8080/",
            "ALPACA_FEED": "sip",
            "MARKET_DATA_REQUESTS_PER_MINUTE": "10000",
            "MARKET_DATA_CONCURRENCY": "8",
        }
    )
    server = settings.market_data_server
    assert server is not None
    assert (server.url, server.feed, server.requests_per_minute, server.concurrency) == (
        "http://127.0.0.1:8080",
        "sip",
        10_000,
        8,
    )


@pytest.mark.parametrize(
    ("provider", "name"),
    [(ALPACA, "ALPACA_KEY_ID"), (ALPACA, "ALPACA_SECRET_KEY"), (ALPHAVANTAGE, "ALPHAVANTAGE_API_KEY")],
)
def test_without_a_vault_the_key_of_the_provider_must_be_set(provider: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} is missing: .* {name.lower().replace('_', '-')}$"):
        Settings.from_environment(LOCAL | provider | {name: " "})


def test_with_a_vault_the_keys_come_from_it_even_if_they_are_set() -> None:
    settings = Settings.from_environment(LOCAL | ALPACA | {"KEY_VAULT_URL": "https://vault.example"})
    assert settings.market_data_server is not None
    assert settings.market_data_server.keys == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALPACA_URL", "http://data.alpaca.markets"),
        ("ALPACA_URL", "https://u:pw@data.alpaca.markets"),
        ("ALPACA_URL", "data.alpaca.markets"),
        ("ALPACA_FEED", "yahoo"),
        ("MARKET_DATA_REQUESTS_PER_MINUTE", "0"),
        ("MARKET_DATA_REQUESTS_PER_MINUTE", "many"),
        ("MARKET_DATA_CONCURRENCY", "0"),
        ("MARKET_DATA_CONCURRENCY", "33"),
    ],
)
def test_an_ill_formed_setting_of_a_provider_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} must be [^\n]*$") as caught:
        Settings.from_environment(LOCAL | ALPACA | {name: value})
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("schedule", "rule"),
    [
        ("0 0 1 *", "must have the six fields of NCRONTAB, seconds first (0 0 1 * * *), not 4"),
        ("0 0 1 * * 7", "has '7' as weekday: it takes numbers from 0 to 6 or names from Sunday to Saturday"),
        ("0 0 25 * * *", "has '25' as hour: it takes numbers from 0 to 23"),
        ("0 0 1 30 2 *", "names a day that none of its months has"),
    ],
)
def test_a_schedule_that_the_host_refuses_is_refused_by_the_rule_it_breaks(schedule: str, rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(LOCAL | {"ANALYSIS_SCHEDULE": schedule})
    assert str(caught.value).startswith(f"ANALYSIS_SCHEDULE {rule}")


@pytest.mark.parametrize("unset", [{}, {"ANALYSIS_SCHEDULE": ""}, {"ANALYSIS_SCHEDULE": " "}])
def test_a_schedule_has_a_default_on_a_laptop_only(unset: dict[str, str]) -> None:
    assert Settings.from_environment(LOCAL | unset).schedule.expression == "0 0 1 * * *"
    environment = LOCAL | IN_AZURE | {"AZURE_FUNCTIONS_ENVIRONMENT": "Production"}
    del environment["ANALYSIS_SCHEDULE"]
    with pytest.raises(SettingsError, match=r"^ANALYSIS_SCHEDULE is missing: set it, for example to 0 0 1 "):
        Settings.from_environment(environment | unset)


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.nightly_analysis.Disabled", "true", True),
        ("AzureWebJobs.nightly_analysis.Disabled", "True", True),
        ("AzureWebJobs.nightly_analysis.Disabled", "1", True),
        ("azurewebjobs.Nightly_Analysis.disabled", "TRUE", True),
        ("AzureWebJobs.nightly_analysis.Disabled", "false", False),
        ("AzureWebJobs.nightly_analysis.Disabled", "yes", False),
        ("AzureWebJobs.nightly_analysis.Disabled", "", False),
        ("AzureWebJobs.watchdog.Disabled", "true", False),
        ("AzureWebJobs__nightly_analysis__Disabled", "true", False),
    ],
)
def test_the_nightly_timer_is_disabled_by_the_switch_of_the_host_alone(name: str, value: str, disabled: bool) -> None:
    assert Settings.from_environment(LOCAL | {name: value}).timer_disabled is disabled


@pytest.mark.parametrize(
    "instance",
    [
        {"WEBSITE_INSTANCE_ID": "1"},
        {"WEBSITE_POD_NAME": "pod", "CONTAINER_NAME": "container", "LEGION_SERVICE_HOST": "host"},  # Flex Consumption
    ],
)
def test_one_app_setting_in_azure_is_not_development(instance: dict[str, str]) -> None:
    in_azure = LOCAL | {"WEBSITE_SITE_NAME": "app", "MARKET_DATA_PROVIDER": "sample"} | instance
    with pytest.raises(SettingsError, match="ANALYSIS_SCHEDULE is missing"):
        Settings.from_environment(in_azure)
    assert not Settings.from_environment(in_azure | {"ANALYSIS_SCHEDULE": "0 0 1 * * *"}).development
