"""Parameters of ``infra/main.bicep``: the fewest, all options together, and what is switched off of them."""

from typing import Any

from tests.infra.compiler import REGION, SUBSCRIPTION

GROUP, CLIENT, PERSON = (f"00000000-0000-0000-0000-0000000000{end}" for end in ("01", "02", "03"))
FRONT_DOOR = "00000000-0000-0000-0000-000000000004"
HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub"
SUBNETS = f"{HUB}/providers/Microsoft.Network/virtualNetworks/spoke/subnets"
TOPIC = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/events/providers/Microsoft.EventGrid/topics/portfolio"
RECEIVER = {"endpoint_id": "crm", "url": "https://crm.portfolio.dev/events?code=1", "secret_name": "webhook-crm"}

GIVEN_BY_THE_PIPELINE: dict[str, Any] = {
    "budgetStartDate": "2026-12-01",
    # Those of the files are placeholders, which the template refuses.
    "alertEmails": ["operators@portfolio.dev", "manager@portfolio.dev"],
}
PLAIN: dict[str, Any] = GIVEN_BY_THE_PIPELINE | {
    "environmentName": "production",
    "location": REGION,
    "marketDataProvider": "alpaca",
}
EVERYTHING: dict[str, Any] = PLAIN | {
    "network": "private",
    "natGateway": True,
    "mongodb": "cluster",
    "mongodbTier": "M40",
    "mongodbCommandLogs": True,
    "mongodbAdministratorIds": [PERSON],
    "durableBackend": "scheduler",
    "highlyAvailable": True,
    "deleteLocks": True,
    "operatorsGroupId": GROUP,
    "signInClientId": CLIENT,
    "platformSignIn": True,
    "personsApiEnabled": True,
    "jwtAudience": "portfolio-admin",
    "frontDoorId": FRONT_DOOR,
    "proxyNetworks": "203.0.113.0/28, 2001:db8::/32",
    "publicUrl": "https://portfolio.dev",
    "corsOrigins": "https://admin.portfolio.dev",
    "otlpEndpoint": "https://collector.portfolio.dev:4318",
    "webhooks": [RECEIVER, RECEIVER | {"endpoint_id": "pager", "types": ["portfolio-analysis.run.failed"]}],
    "eventGridTopicId": TOPIC,
    "nightlyDigest": True,
    "fields": "holdings=positions,holdings.symbol=ticker",
    "nightlyTimerEnabled": True,
    "alertsEnabled": True,
    "availabilityTest": False,
    "alwaysReadyInstances": 1,
    "requestBodyLimitBytes": 65536,
    "siteUpdate": "RollingUpdate",
    "marketDataRequestsPerMinute": 100,
    "benchmarkSymbol": "^GSPC",
    "riskFreeRate": "-0.0125",
}
"""Every option at once, as far as they go together."""

SWITCHED_OFF: dict[str, dict[str, Any]] = {
    "network": {"network": "private-dependencies"},
    "natGateway": {"natGateway": False},
    "mongodb": {"mongodb": "given", "mongodbAdministratorIds": []},
    "mongodbAdministratorIds": {"mongodbAdministratorIds": []},
    "redis": {"redis": "none"},
    "durableBackend": {"durableBackend": "storage"},
    "deleteLocks": {"deleteLocks": False},
    "operatorsGroupId": {"operatorsGroupId": ""},
    "platformSignIn": {"platformSignIn": False},
    "eventGridTopicId": {"eventGridTopicId": ""},
    "lakeEnabled": {"lakeEnabled": False},
}
"""By the parameter: what switches one option of EVERYTHING off."""

OTHERS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "everything": EVERYTHING,
    "public network": EVERYTHING | {"network": "public"},
    "existing network": EVERYTHING
    | {
        "natGateway": False,
        "appSubnetId": f"{SUBNETS}/app",
        "endpointsSubnetId": f"{SUBNETS}/endpoints",
        "dnsZonesGroupId": HUB,
    },
    "existing subnet, public": PLAIN | {"appSubnetId": f"{SUBNETS}/app"},
    "fixed address, public": PLAIN | {"natGateway": True},
    "restored cluster": EVERYTHING | {"mongodbClusterName": "mongo-restored"},
    "cluster being created": PLAIN | {"mongodb": "cluster", "mongodbPasswordSignIn": True, "mongodbAppRole": "root"},
}
ALL = OTHERS | {f"without {name}": EVERYTHING | change for name, change in SWITCHED_OFF.items()}
