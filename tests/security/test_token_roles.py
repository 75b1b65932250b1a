"""The bearer tokens that give administrator access."""

from typing import Any

import pytest

from functions.access.administrators import Admin, Forbidden
from stores.administrators import CACHE_SECONDS, AdministratorStore
from stores.mongo import DocumentDatabase
from tests.clock import Clock
from tests.security.door import Door, a_door
from tests.security.issuer import ROLE, Issuer
from tests.security.tokens import ADMINISTRATOR, KEY, USER, backend_token


def test_a_token_of_the_backend_gives_an_administrator_access_under_their_name(door: Door) -> None:
    assert door.with_token(backend_token()) == Admin(ADMINISTRATOR, "bearer", ADMINISTRATOR)


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
def test_a_token_of_the_issuer_with_the_role_gives_access(door: Door, issuer: Issuer, kid: str) -> None:
    assert door.with_token(issuer.token(kid=kid)) == Admin(issuer.claims()["oid"], "bearer", "subject-1")


def test_without_an_object_id_the_subject_is_the_actor(door: Door, issuer: Issuer) -> None:
    assert door.with_token(issuer.token(issuer.claims(oid=None))).actor == "subject-1"


@pytest.mark.parametrize(
    "roles",
    [None, [], ["Portfolio.Reader"], ROLE, f"{ROLE} other", {ROLE: True}, [ROLE.lower()], [[ROLE]], [None], True],
)
def test_a_valid_token_without_the_role_is_forbidden(door: Door, issuer: Issuer, roles: Any) -> None:  # noqa: ANN401 - any claim
    with pytest.raises(Forbidden):
        door.with_token(issuer.token(issuer.claims(roles=roles)))


@pytest.mark.parametrize("claim", ["scp", "groups", "wids", "is_admin", "role"])
def test_no_other_claim_gives_administrator_access(door: Door, issuer: Issuer, claim: str) -> None:
    with pytest.raises(Forbidden):
        door.with_token(issuer.token(issuer.claims(roles=None, **{claim: [ROLE]})))
    others: dict[str, Any] = {claim: True, "roles": [ROLE]}
    with pytest.raises(Forbidden):
        door.with_token(backend_token(sub=USER, **others))


@pytest.fixture
def door_with_users(database: DocumentDatabase) -> Door:
    database.users.insert_many([{"user_id": ADMINISTRATOR, "is_admin": True}, {"user_id": USER, "is_admin": False}])
    clock = Clock()
    is_administrator = AdministratorStore(database, clock).is_administrator
    return a_door({"JWT_SECRET": KEY}, is_administrator=is_administrator, clock=clock)


def test_a_user_without_the_flag_is_forbidden(door_with_users: Door) -> None:
    with pytest.raises(Forbidden):
        door_with_users.with_token(backend_token(sub=USER))


@pytest.mark.parametrize(
    "change", [{"$set": {"is_admin": False}}, {"$unset": {"is_admin": ""}}, {"$set": {"is_active": False}}], ids=str
)
def test_after_the_flag_is_withdrawn_a_valid_token_is_forbidden(
    door_with_users: Door, database: DocumentDatabase, change: dict[str, Any]
) -> None:
    token = backend_token()
    door_with_users.with_token(token)
    database.users.update_one({"user_id": ADMINISTRATOR}, change)
    door_with_users.clock.advance(CACHE_SECONDS + 1)
    with pytest.raises(Forbidden):
        door_with_users.with_token(token)


def test_the_token_of_a_deleted_user_is_forbidden(door_with_users: Door, database: DocumentDatabase) -> None:
    token = backend_token()
    door_with_users.with_token(token)
    database.users.delete_one({"user_id": ADMINISTRATOR})
    door_with_users.clock.advance(CACHE_SECONDS + 1)
    with pytest.raises(Forbidden):
        door_with_users.with_token(token)
