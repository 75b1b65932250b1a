"""The app's authentication with all kinds of credentials, and the OpenID issuer that it trusts."""

from collections.abc import Iterator

import pytest

from tests.security.door import Door, a_door
from tests.security.issuer import AUDIENCE, ROLE, Issuer, an_issuer
from tests.security.tokens import ADMINISTRATOR, KEY, SECRET


@pytest.fixture(scope="module")
def running_issuer() -> Iterator[Issuer]:
    with an_issuer() as running:
        yield running


@pytest.fixture
def issuer(running_issuer: Issuer) -> Iterator[Issuer]:
    before = dict(running_issuer.keys)
    yield running_issuer
    running_issuer.keys = before
    running_issuer.answers.clear()
    running_issuer.asked.clear()


@pytest.fixture
def door(issuer: Issuer) -> Door:
    environment = {
        "ADMIN_SECRET": SECRET,
        "JWT_SECRET": KEY,
        "OIDC_ISSUER": issuer.url,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_ADMIN_ROLE": ROLE,
    }
    return a_door(environment, is_administrator=lambda user: user == ADMINISTRATOR)
