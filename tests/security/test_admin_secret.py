"""Attacks on the admin secret, and its replacement under load."""

import contextlib
import hmac
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from credentials.secrets import Secrets
from functions.access.administrators import AuthenticationUnavailable, Unauthorized
from settings import Settings
from tests.clock import Clock
from tests.security.door import LOCAL, Door, a_door
from tests.vault import Vault, a_vault

SECRET = "the secret of administrators"


@pytest.fixture
def door() -> Door:
    return a_door({"ADMIN_SECRET": SECRET})


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with a_vault(tmp_path) as running:
        yield running


@pytest.fixture
def door_with_vault(vault: Vault) -> Door:
    settings = Settings.from_environment(LOCAL | {"KEY_VAULT_URL": vault.url})
    return a_door({"KEY_VAULT_URL": vault.url}, secrets=Secrets(settings, vault.client))


def test_the_secret_is_accepted_under_its_own_name(door: Door) -> None:
    admin = door.with_secret(SECRET)
    assert (admin.actor, admin.credential, admin.credential_id) == ("admin-secret", "admin-secret", None)


def test_the_accepted_version_is_known(door_with_vault: Door, vault: Vault) -> None:
    versions = {value: vault.put("admin-secret", value) for value in ("old", "new")}
    for value, version in versions.items():
        assert door_with_vault.with_secret(value).credential_id == version.id


WRONG = {
    "empty": "",
    "prefix": SECRET[:-1],
    "longer": SECRET + "x",
    "other case": SECRET.upper(),
    "white space around": f" {SECRET} ",
    "NUL behind": SECRET + "\0",
    "NUL in front": "\0" + SECRET,
    "NUL alone": "\0",
    "unicode": "ségrët",
    "look-alike letters": SECRET.replace("a", "а"),  # noqa: RUF001 - this is the attack
    "full width": "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in SECRET),
    "combining": SECRET + "\u0301",
    "emoji": "\N{LOCK}" * 50,
    "half a surrogate pair": "\ud800",
    "line break": SECRET + "\r\n",
    "injected header": f"x\r\nX-Admin-Secret: {SECRET}",
    "twice, as the host joins them": f"{SECRET},{SECRET}",
    "twice, with a blank": f"{SECRET}, {SECRET}",
    "wrong and right, as the host joins them": f"wrong,{SECRET}",
    "quoted": f'"{SECRET}"',
    "an operator": '{"$gt": ""}',
    "a wildcard": "*",
    "a megabyte": SECRET * 65_536,
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_anything_else_is_refused(door: Door, wrong: str) -> None:
    with pytest.raises(Unauthorized):
        door.with_secret(wrong)


@pytest.mark.parametrize("name", ["X-Admin-Secret", "x-admin-secret", "admin_secret", "secret", "code", "access_token"])
def test_the_secret_in_the_query_string_is_refused(door: Door, name: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter(query={name: SECRET})


@pytest.mark.parametrize(
    "name", ["Admin-Secret", "X-Functions-Key", "Cookie", "X-Admin-Secret2", "Proxy-Authorization"]
)
def test_the_secret_in_another_header_is_refused(door: Door, name: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter({name: SECRET})


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Digest", "X-Admin-Secret"])
def test_the_secret_in_authorization_is_refused(door: Door, scheme: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter({"Authorization": f"{scheme} {SECRET.replace(' ', '')}"})


def test_without_any_secret_access_is_refused() -> None:
    door = a_door({})
    for headers in ({}, {"X-Admin-Secret": ""}, {"X-Admin-Secret": "None"}, {"Authorization": "Bearer a.b.c"}):
        with pytest.raises(AuthenticationUnavailable):
            door.enter(headers)


def test_if_only_tokens_are_in_use_a_request_without_one_is_unauthorized() -> None:
    door = a_door({"JWT_SECRET": "x" * 32})
    with pytest.raises(Unauthorized):
        door.enter()
    with pytest.raises(AuthenticationUnavailable):
        door.with_secret("")


@pytest.mark.parametrize("attributes", [{"enabled": False}, {"ends": Clock().utc().replace(year=2000)}])
def test_a_disabled_or_expired_version_is_refused(
    door_with_vault: Door, vault: Vault, attributes: dict[str, object]
) -> None:
    vault.put("admin-secret", "good")
    vault.put("admin-secret", "bad", **attributes)
    with pytest.raises(Unauthorized):
        door_with_vault.with_secret("bad")


def test_with_an_unavailable_vault_access_is_refused(door_with_vault: Door, vault: Vault) -> None:
    vault.put("admin-secret", SECRET)
    vault.failing_with = 503
    for headers in ({}, {"X-Admin-Secret": SECRET}, {"X-Admin-Secret": ""}):
        with pytest.raises(AuthenticationUnavailable):
            door_with_vault.enter(headers)


class Comparisons:
    """Records the arguments of ``hmac.compare_digest``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[bytes, bytes]] = []
        compare = hmac.compare_digest

        def counted(one: bytes, other: bytes) -> bool:
            self.made.append((one, other))
            return compare(one, other)

        monkeypatch.setattr("hmac.compare_digest", counted)

    def of(self, door: Door, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
        self.made.clear()
        with contextlib.suppress(Unauthorized):
            door.enter(headers)
        return list(self.made)


def test_every_accepted_version_is_compared_whichever_one_matches(
    door_with_vault: Door, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("oldest", "old", "new"):
        vault.put("admin-secret", value)
    door_with_vault.with_secret("new")
    door_with_vault.enter({"X-Admin-Secret": "old"})
    with pytest.raises(Unauthorized):
        door_with_vault.with_secret("uses up the second fetch")
    comparisons = Comparisons(monkeypatch)
    sent: list[dict[str, str]] = [{"X-Admin-Secret": text} for text in ("new", "old", "oldest", "", "n", "x" * 9_999)]
    for headers in [*sent, {}]:
        made = comparisons.of(door_with_vault, headers)
        assert len(made) == 2, headers
        assert {len(digest) for pair in made for digest in pair} == {32}
        assert len({known for _, known in made}) == 2


def test_guesses_cause_no_requests_to_the_vault(door_with_vault: Door, vault: Vault) -> None:
    vault.put("admin-secret", SECRET)
    door_with_vault.with_secret(SECRET)
    before = len(vault.asked)
    for guess in range(200):
        with pytest.raises(Unauthorized):
            door_with_vault.with_secret(f"guess {guess}")
    assert len(vault.asked) - before <= 2


def test_neither_a_right_secret_nor_a_missing_one_causes_requests_to_the_vault(
    door_with_vault: Door, vault: Vault
) -> None:
    vault.put("admin-secret", SECRET)
    door_with_vault.with_secret(SECRET)
    vault.asked.clear()
    for _ in range(100):
        door_with_vault.with_secret(SECRET)
        with pytest.raises(Unauthorized):
            door_with_vault.enter()
    assert vault.asked == []


def test_a_secret_is_replaced_and_no_request_with_the_old_or_the_new_one_is_refused(
    door_with_vault: Door, vault: Vault
) -> None:
    vault.put("admin-secret", "old")
    replaced, entered_with_new, stop = threading.Event(), threading.Semaphore(0), threading.Event()

    def use_old_secret() -> int:
        entered = 0
        while not stop.is_set():
            door_with_vault.with_secret("old")
            entered += 1
        return entered

    def use_new_secret() -> int:
        replaced.wait()
        entered = 0
        while not stop.is_set():
            door_with_vault.with_secret("new")
            entered += 1
            entered_with_new.release()
        return entered

    with ThreadPoolExecutor(8) as pool:
        hands = [pool.submit(hand) for hand in (use_old_secret, use_new_secret) for _ in range(4)]
        try:
            vault.put("admin-secret", "new")
            replaced.set()
            for _ in range(1_000):
                assert entered_with_new.acquire(timeout=60)
        finally:
            replaced.set()
            stop.set()
        # A refusal would have ended a thread, and is raised here.
        assert all(hand.result() > 0 for hand in hands)


def test_no_refusal_and_no_administrator_shows_the_secret(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(Unauthorized) as refused:
        door.with_secret("a wrong secret")
    shown = f"{refused.value!r} {door.with_secret(SECRET)!r} {caplog.text}"
    assert SECRET not in shown
    assert "a wrong secret" not in shown
