"""The tree contains no secret, and the app's output contains neither a secret nor a portfolio's value."""

import base64
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import redis

from stores.mongo import DocumentDatabase
from tests.conftest import free_port
from tests.end_to_end.app import BASE, SECRET, running_app
from tests.security.secret_patterns import possible_secrets

ROOT = Path(__file__).parent.parent.parent
# False positives of the patterns: file, text, reason.
ALLOWED = [
    ("tests/devhost/harness.py", r"\S+://:hidden@1", "of a server that is never started"),
    ("tests/devhost/test_start.py", r"\S+://user:hidden@1", "of a server that is never started"),
    ("tests/credentials/test_secrets.py", r"\S+://user:hunter2@d", "of a server that is never used"),
    ("tests/devhost/test_environment.py", r"\S+://(ann|):s3cre?t?@[ct]", "invented, to be shown masked"),
    ("tests/credentials/test_identity.py", r"\S+://user:word@l", "of a server that is never used"),
    ("tests/stores/test_rate_limit.py", r"\S+://:pw@1", "of a server that is never started"),
    (
        "tests/test_settings.py",
        r"\S+://(u|user|):(pw|pw\[ss|p%2Fw|secret|hidden)@[lhcad]",
        "invented, to be refused or not shown",
    ),
]


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone: the tracked files are unknown")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - the developer's own
    return [ROOT / name for name in listed.split("\0") if name]


def test_no_file_of_the_tree_contains_a_secret() -> None:
    found = []
    for file in tracked():
        name, text = file.relative_to(ROOT).as_posix(), file.read_bytes().decode("utf-8", "replace")
        found += [(name, kind, secret) for kind, secret in possible_secrets(text) if not is_allowed(name, secret)]
    assert found == []


def is_allowed(name: str, secret: str) -> bool:
    return any(path == name and re.fullmatch(text, secret) for path, text, _ in ALLOWED)


@pytest.mark.parametrize(("path", "text", "reason"), ALLOWED)
def test_every_exception_is_still_needed(path: str, text: str, reason: str) -> None:
    assert re.search(text, (ROOT / path).read_text()), f"no longer needed: {reason}"


def test_no_file_for_secrets_is_tracked() -> None:
    assert [file.name for file in tracked() if file.suffix in {".pem", ".pfx", ".p12", ".key", ".env"}] == []


RANDOM = base64.b64encode(bytes(range(7, 250, 8))).decode()


@pytest.mark.parametrize(
    "planted",
    [
        "-----BEGIN " + "RSA PRIVATE KEY-----",
        "Authorization: Bearer " + jwt.encode({"sub": "somebody"}, "k" * 32, "HS256"),
        "mongodb+srv://someone:" + "hunter2@cluster.example/?x=1",
        "redis://:" + "hunter2@cache.example:6380/0",
        "DefaultEndpointsProtocol=https;AccountName=a;Account" + f"Key={RANDOM}",
        "JWT_" + f'SECRET = "{RANDOM}"',
        '"admin-' + f'secret": "{RANDOM}"',
        "api_" + f"key={RANDOM}",
        "gh" + "p_" + "0123456789abcdefghijABCDEFGHIJ012345",
    ],
)
def test_a_planted_secret_is_found(planted: str) -> None:
    assert list(possible_secrets(f"before\n{planted}\nafter"))


JWT_KEY = "a key that the backend and the app share, 0x5EC2E7"
QUANTITY, PRICE, CASH = 7919.0431, 83.4517, 918273.6455


def numbers_in(document: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """Return every figure in a document that cannot be in a log by chance."""
    if isinstance(document, dict):
        return set().union(*map(numbers_in, document.values()))
    if isinstance(document, list):
        return set().union(*map(numbers_in, document))
    return {repr(document)} if isinstance(document, float) and len(repr(document)) > 6 else set()


def test_no_output_of_the_app_contains_a_secret_a_token_or_a_portfolios_value(
    tmp_path: Path, mongodb_url: str, redis_url: str, database: DocumentDatabase
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()  # other tests fail to sign in from the same address
    database.users.insert_many([{"user_id": "u1", "is_admin": True}, {"user_id": "u2"}, {"user_id": "u3"}])
    holding = {"symbol": "AAPL", "quantity": QUANTITY, "avg_price": PRICE}
    database.holdings.insert_many([holding | {"user_id": user_id} for user_id in ("u1", "u2", "u3")])
    database.accounts.insert_many([{"user_id": "u1", "cash": CASH}, {"user_id": "u2", "cash": f"{CASH} dollars"}])
    database.accounts.insert_one({"user_id": "u3", "cash": {"is": CASH}})
    environment = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database.name, "REDIS_URL": redis_url}
    token = jwt.encode({"sub": "u1", "exp": int(time.time()) + 600}, JWT_KEY, "HS256")
    with running_app(tmp_path, MARKET_DATA_PROVIDER="sample", JWT_SECRET=JWT_KEY, **environment) as app:
        run = app.run()
        report = app.report(run["run_id"], "u1")
        answers = [
            app.client.post(f"{BASE}/trigger-analysis", json={"user_ids": [SECRET], "as_of": CASH}),
            app.client.post(f"{BASE}/trigger-analysis?secret={SECRET}", headers={"Idempotency-Key": SECRET}),
            app.client.get(f"{BASE}/analysis-runs", headers={"X-Admin-Secret": SECRET + "x", "traceparent": SECRET}),
        ]
        del app.client.headers["X-Admin-Secret"]
        answers += [
            app.client.get(f"{BASE}/analysis-runs", headers={"Authorization": f"Bearer {credentials}"})
            for credentials in (token, token[:-9] + "AAAAAAAAA", SECRET)
        ]
        answers.append(app.client.get(f"{BASE}/audit", headers={"Authorization": f"Bearer {token}"}))
    assert [answer.status_code for answer in answers] == [422, 422, 401, 200, 401, 401, 200]
    said = app.log.read_text() + "\n".join(app.output) + "".join(answer.text for answer in answers)
    secrets = {SECRET, JWT_KEY, token, token.rpartition(".")[2]}
    values = numbers_in(report["holdings"]) | numbers_in(report["valuation"]) | {str(QUANTITY), str(PRICE), str(CASH)}
    assert len(values) > 10
    assert [text for text in secrets | values if text in said] == []
    kept = json.dumps(list(database.audit_log.find({}, {"_id": False})), default=str)
    assert [text for text in secrets | values if text in kept] == []


def test_an_unavailable_redis_is_reported_without_its_password(tmp_path: Path, mongodb_url: str) -> None:
    urls = {"MONGODB_URL": mongodb_url, "REDIS_URL": f"redis://:{'hunter2'}@127.0.0.1:{free_port()}"}
    with running_app(tmp_path, **urls) as app:
        answers = [app.client.get("/api/health"), app.client.get(f"{BASE}/audit")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "hunter2" not in app.log.read_text() + "\n".join(app.output) + "".join(answer.text for answer in answers)


TWO_TESTS = """
import logging

def test_talkative():
    logging.getLogger("app").info("connecting to mongodb://u:" + "hunter2@db.example")

def test_discreet():
    logging.getLogger("app").info("connecting to mongodb://u:***@db.example")
"""


def test_the_log_of_a_test_is_scanned_too(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(TWO_TESTS)
    options = ["-c", "pyproject.toml", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "a secret was logged: URL with a password" in done.stdout
