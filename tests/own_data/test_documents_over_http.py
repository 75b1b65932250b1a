"""A backend's own documents in the whole app: from the setting to the reports, whatever signs the ids have."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from stores.mongo import DocumentDatabase
from tests.end_to_end.app import BASE, App, running_app

# In another case and another Unicode form, an id is another person's.
IDS = [
    "it's {u} & co #1?",
    "ÅSA+x@y.z (2)",
    "ann",
    "Ann",
    "jos\u00e9",
    "jose\u0301",
    '"a;b,c"',
    "65a000000000000000000001",
]


@pytest.fixture
def app(tmp_path: Path, mongodb_url: str, redis_url: str, database: DocumentDatabase) -> Iterator[App]:
    environment = {
        "MONGODB_URL": mongodb_url,
        "MONGODB_DATABASE": database.name,
        "REDIS_URL": redis_url,
        "FIELDS": "users=people,users.user_id=login,holdings=users.p[],holdings.quantity=n,accounts=users.wallet",
    }
    with running_app(tmp_path, **environment) as running:
        yield running


def test_a_report_is_found_by_every_id_that_can_be_analyzed(app: App, database: DocumentDatabase) -> None:
    database.people.insert_many(
        {"login": user_id, "p": [{"symbol": "AAPL", "n": number}], "wallet": {"cash": 1}}
        for number, user_id in enumerate(IDS, 1)
    )
    database.people.insert_many([{"login": user_id, "p": []} for user_id in ("a/b", "..", " x", "a\u202eb", "<b>")])
    run = app.run()
    assert (run["status"], run["users_analyzed"], run["errors_count"]) == ("completed_with_errors", len(IDS), 1)
    assert run["errors"][0]["error"] == "5 documents in users have no login, or one that cannot be used."
    for number, user_id in enumerate(IDS, 1):
        report = app.report(run["run_id"], quote(user_id, safe=""))
        assert (report["user_id"], report["holdings"][0]["quantity"], report["valuation"]["cash"]) == (
            user_id,
            number,
            1,
        )
    listed = app.client.get(
        f"{BASE}/analysis-runs/{run['run_id']}/portfolios", params={"user_id_prefix": IDS[0]}
    ).json()
    assert [portfolio["user_id"] for portfolio in listed["portfolios"]] == [IDS[0]]
    again = app.run(user_ids=IDS[:2], dry_run=True)
    assert (again["users_analyzed"], again["errors_count"]) == (2, 0)
    assert app.client.get(f"{BASE}/analysis-runs/{run['run_id']}/portfolios/a%2Fb").status_code == 400
