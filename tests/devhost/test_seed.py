"""The sample users in a real server, as the app reads them."""

from datetime import date

from analysis.models import Portfolio
from devhost.sample_data import SAMPLE_USERS
from devhost.seed import COLLECTIONS, seed_sample_users
from market_data.sample_prices import SampleProvider
from stores.mongo import DocumentDatabase
from stores.portfolio_documents import InvalidPortfolio
from stores.portfolios import PortfolioStore
from tests.market_data.test_sample_prices import COMPANIES, INDEX


def test_seeding_twice_creates_no_duplicates(mongodb_url: str, database: DocumentDatabase) -> None:
    first = seed_sample_users(mongodb_url, database.name)
    before = {name: list(database[name].find().sort("_id")) for name in (*COLLECTIONS, "instruments")}
    assert seed_sample_users(mongodb_url, database.name) == first == len(before["users"])
    assert {name: list(database[name].find().sort("_id")) for name in (*COLLECTIONS, "instruments")} == before


def test_a_sample_of_an_earlier_version_becomes_that_of_this_one(mongodb_url: str, database: DocumentDatabase) -> None:
    database.accounts.insert_one({"user_id": "hana-health", "cash": 7_800, "buying_power": 7_800, "currency": "USD"})
    seed_sample_users(mongodb_url, database.name)
    of_hana = list(database.accounts.find({"user_id": "hana-health"}))
    assert [(account["currency"], account["cash"]) for account in of_hana] == [("EUR", 5_900), ("USD", 1_850.4)]
    changed = {"transaction_id": "hana-health-001"}
    database.transactions.update_one(changed, {"$set": {"amount": 1.0}})
    seed_sample_users(mongodb_url, database.name)
    assert [each["amount"] == 1.0 for each in database.transactions.find(changed)] == [False]


def test_every_stock_and_the_index_have_an_instrument_in_dollars_with_a_name(
    mongodb_url: str, database: DocumentDatabase
) -> None:
    seed_sample_users(mongodb_url, database.name)
    found = {own["symbol"]: own for own in database.instruments.find()}
    assert found.keys() == {*COMPANIES, INDEX}
    assert {(own["currency"], own["kind"]) for own in found.values()} == {("USD", "stock"), ("USD", "index")}
    assert found[INDEX]["kind"] == "index"
    assert found["KO"]["name"] == "Coca-Cola"


def test_seeding_leaves_the_users_and_instruments_of_others_alone(mongodb_url: str, database: DocumentDatabase) -> None:
    database.users.insert_one({"user_id": "someone-else"})
    database.instruments.insert_one({"_id": 1, "symbol": "AAPL", "kind": "etf"})
    sample_users = seed_sample_users(mongodb_url, database.name)
    assert database.users.count_documents({}) == sample_users + 1
    assert list(database.instruments.find({"symbol": "AAPL"})) == [{"_id": 1, "symbol": "AAPL", "kind": "etf"}]


def test_documents_have_the_backends_fields_and_some_unknown_to_this_app(
    mongodb_url: str, database: DocumentDatabase
) -> None:
    seed_sample_users(mongodb_url, database.name)
    known = {
        "users": {"_id", "user_id", "username", "is_admin", "is_active"},
        "holdings": {"_id", "user_id", "symbol", "quantity", "avg_price"},
        "watchlist": {"_id", "user_id", "symbol"},
        "accounts": {"_id", "user_id", "account_id", "cash", "buying_power", "currency"},
        "instruments": {"_id", "symbol", "kind", "currency"},
        "transactions": {"_id", "user_id", "transaction_id", "account_id", "date", "type"},
    }
    for name, fields in known.items():
        for document in database[name].find():
            assert document.keys() > fields


def test_natural_keys_are_unique_and_there_is_one_administrator(mongodb_url: str, database: DocumentDatabase) -> None:
    seed_sample_users(mongodb_url, database.name)
    assert len({user.user_id for user in SAMPLE_USERS}) == len(SAMPLE_USERS)
    for name in ("holdings", "watchlist"):
        keys = [(document["user_id"], document["symbol"]) for document in database[name].find()]
        assert len(set(keys)) == len(keys)
    assert database.users.count_documents({"is_admin": True}) == 1


def test_the_awkward_users_are_among_those_that_the_app_reads(mongodb_url: str, database: DocumentDatabase) -> None:
    seed_sample_users(mongodb_url, database.name)
    store = PortfolioStore(database)
    active = [user_id for page in store.active_user_ids(None) for user_id in page]
    with_symbols = store.symbols(active, contiguous=True)
    loaded = store.load(sorted(with_symbols), contiguous=True)
    portfolios = [portfolio for portfolio in loaded if isinstance(portfolio, Portfolio)]
    holdings = [holding for portfolio in portfolios for holding in portfolio.holdings]
    last_prices = SampleProvider().daily_bars([h.symbol for h in holdings], date(2010, 1, 1), date(2022, 12, 28)).bars

    assert len(active) == len(SAMPLE_USERS) - 1  # one has left
    assert len(set(active) - with_symbols.keys()) == 1  # one holds and watches nothing
    assert {p.error_type for p in loaded if isinstance(p, InvalidPortfolio)} == {"invalid_account"}
    assert any(portfolio.invalid_holdings for portfolio in portfolios)
    assert any(not portfolio.holdings for portfolio in portfolios)
    assert any(len(portfolio.holdings) == 1 for portfolio in portfolios)
    assert any(holding.quantity < 0 for holding in holdings)
    assert any(holding.quantity % 1 for holding in holdings)
    assert {0.0, None} < {holding.avg_price for holding in holdings}
    assert database.holdings.count_documents({"quantity": "12.5"}) == 1
    assert 12.5 in {holding.quantity for holding in holdings}
    assert {holding.symbol for holding in holdings} - last_prices.keys() == {"NOSUCH"}
    assert "RRC" in {holding.symbol for holding in holdings}
    assert any(
        sum(h.quantity * last_prices[h.symbol].close[-1] for h in p.holdings if h.symbol in last_prices) + p.cash <= 0
        for p in portfolios
    )


def test_purchase_prices_are_plausible(mongodb_url: str, database: DocumentDatabase) -> None:
    seed_sample_users(mongodb_url, database.name)
    bars = (
        SampleProvider()
        .daily_bars(
            sorted({h.symbol for user in SAMPLE_USERS for h in user.holdings}), date(2010, 1, 1), date(2022, 12, 28)
        )
        .bars
    )
    for holding in database.holdings.find({"symbol": {"$in": list(bars)}, "avg_price": {"$gt": 0}}):
        closes = bars[holding["symbol"]].close
        # The closes are in new shares throughout; one holding is still in those from before a split of 4:1.
        ratio = 4 if (holding["user_id"], holding["symbol"]) == ("sid-split-missed", "AAPL") else 1
        assert closes.min() <= holding["avg_price"] / ratio <= closes.max(), holding
