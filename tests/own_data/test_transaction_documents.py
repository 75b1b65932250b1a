"""The rules by which documents of transactions are read, without a database."""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, ObjectId
from bson.tz_util import utc

from analysis.returns.ledger import TYPES
from stores import document_columns
from stores.ledger_reader import FAR_FUTURE, MOST_ISSUES, LedgerReader
from stores.transaction_documents import MOST_TRANSACTIONS, symbols_of
from tests.own_data.ledgers import BUY, READ, SAMPLES, TODAY, bought, last_unsound, only, read

FOR_EVER = FAR_FUTURE.item()


def test_every_type_is_read_from_the_fields_it_needs() -> None:
    assert SAMPLES.keys() == set(TYPES)
    for name, document in SAMPLES.items():
        ledgers = read([document])
        (found,) = ledgers.transactions.of(0)
        assert (found.type, found.date, ledgers.issues, last_unsound(ledgers)) == (
            name,
            date(2026, 1, 5),
            [()],
            None,
        )


@pytest.mark.parametrize(
    ("given", "members"),
    [
        ({}, {}),
        ({"type": " BUY "}, {}),
        ({"quantity": -10}, {}),
        ({"quantity": Int64(10), "price": "5.00"}, {}),
        ({"quantity": Decimal128("10"), "price": Decimal128("5")}, {}),
        ({"amount": -51.5, "fee": "1.5", "tax": None}, {"amount": -51.5, "fee": 1.5}),
        ({"symbol": "BRK-B"}, {"symbol": "BRK.B"}),
        ({"currency": " eur "}, {"currency": "EUR"}),
        ({"currency": "GBp", "fx_rate": 0.0117}, {"currency": "GBp", "fx_rate": 0.0117}),
        ({"currency": "", "account_id": None, "transaction_id": ""}, {}),
        ({"transaction_id": 7, "account_id": ObjectId("65a000000000000000000001")},
         {"transaction_id": "7", "account_id": "65a000000000000000000001"}),
        ({"transaction_id": Binary.from_uuid(UUID("0b5c9d5e-0000-4000-8000-000000000001"))},
         {"transaction_id": "0b5c9d5e-0000-4000-8000-000000000001"}),
        ({"transaction_id": ["no id"]}, {}),
        ({"date": datetime(2026, 1, 5, 23, 59, 59, 250_000, tzinfo=utc)}, {"time": 86_399.25}),
        ({"date": datetime(2026, 1, 5, tzinfo=utc)}, {}),
        ({"date": "2026-01-05T09:30:00-05:00"}, {"time": 34_200.0}),
        ({"date": "2026-01-05 09:30"}, {"time": 34_200.0}),
        ({"date": "2026-01-05, in the morning"}, {}),
        # fields of other types
        ({"ratio": "much", "to_symbol": 7, "to_amount": [], "to_currency": "Euro", "lot_id": {}}, {}),
        ({"note": {"any": "thing"}}, {}),
    ],
)  # fmt: skip
def test_what_is_accepted_gives_the_same_as_the_plain_form(given: dict[str, Any], members: dict[str, Any]) -> None:
    ledgers = read([dict(BUY) | given], spelling=lambda symbol: symbol.replace("-", "."))
    assert list(ledgers.transactions.of(0)) == [bought(**members)]
    assert ledgers.issues == [()]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no type": ({"type": None}, "unreadable: no field `type`"),
    "a type that is a number": ({"type": 7}, "unreadable: type is no text"),
    "an unknown type": ({"type": "short_squeeze"}, "unknown_type: type is none that is known"),
    "no symbol": ({"symbol": None}, "unreadable: no field `symbol`"),
    "a symbol with a line break": ({"symbol": "AA\nPL"}, "unreadable: symbol is not a text that can be one"),
    "no quantity": ({"quantity": None}, "unreadable: no field `quantity`"),
    "a quantity of 0": ({"quantity": 0}, "unreadable: quantity is 0"),
    "a quantity in words": ({"quantity": "ten"}, "unreadable: quantity is not a number up to 1e+12"),
    "NaN": ({"price": math.nan}, "unreadable: price is not a number up to 1e+12"),
    "a decimal NaN": ({"price": Decimal128("NaN")}, "unreadable: price is not a number up to 1e+12"),
    "a huge price": ({"price": 1e13}, "unreadable: price is not a number up to 1e+12"),
    "true": ({"quantity": True}, "unreadable: quantity is not a number up to 1e+12"),
    "neither price nor amount": ({"price": None}, "unreadable: it has neither price nor amount"),
    "a negative fee": ({"fee": -1}, "unreadable: fee is negative"),
    "a negative tax": ({"tax": "-1"}, "unreadable: tax is negative"),
    "an unreadable tax": ({"tax": {}}, "unreadable: tax is not a number up to 1e+12"),
    "a rate of 0": ({"fx_rate": 0}, "unreadable: fx_rate is not positive"),
    "a currency in words": ({"currency": "Euro"}, "unreadable: currency is no code of three letters"),
    "a currency as a number": ({"currency": 978}, "unreadable: currency is no code of three letters"),
    "an account in a list": ({"account_id": ["A"]}, "unreadable: account_id is no id"),
    "an endless account": ({"account_id": "A" * 300}, "unreadable: account_id is no id"),
    "a lot of a sale in a list": ({"type": "sell", "lot_id": []}, "unreadable: lot_id is no id"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_told_by_field_and_rule_and_makes_everything_before_unsound(
    given: dict[str, Any], text: str
) -> None:
    ledgers = read([{**BUY, "transaction_id": "T1"} | given, {**BUY, "date": "2026-02-01"}])
    issue = only(ledgers)
    kind, rule = text.split(": ")
    assert (issue.kind, issue.date) == (kind, date(2026, 1, 5))
    assert issue.text == f"Transaction T1 of 2026-01-05 cannot be read: {rule}."
    assert last_unsound(ledgers) == date(2026, 1, 5)
    assert list(ledgers.transactions.of(0)) == [bought(date=date(2026, 2, 1))]


@pytest.mark.parametrize(
    ("name", "without", "rule"),
    [
        ("split", "quantity", "no field `quantity`"),
        ("stock_dividend", "symbol", "no field `symbol`"),
        ("merger", "to_symbol", "no field `to_symbol`"),
        ("spin_off", "ratio", "no field `ratio`"),
        ("return_of_capital", "amount", "no field `amount`"),
        ("transfer_in", "quantity", "no field `quantity`"),
        ("transfer_in", "symbol", "no field `amount`"),
        ("transfer_out", "amount", "no field `amount`"),
        ("deposit", "amount", "no field `amount`"),
        ("dividend", "symbol", "no field `symbol`"),
        ("dividend", "amount", "it has neither amount nor price and quantity"),
        ("interest", "amount", "no field `amount`"),
        ("fee", "fee", "no field `amount`"),
        ("tax", "amount", "no field `amount`"),
        ("exchange", "to_amount", "no field `to_amount`"),
        ("exchange", "to_currency", "it has neither to_currency nor to_account_id"),
    ],
)
def test_each_type_is_refused_without_what_it_needs(name: str, without: str, rule: str) -> None:
    document = {field: value for field, value in SAMPLES[name].items() if field != without}
    issue = only(read([document]))
    assert issue.text == f"A transaction without id of 2026-01-05 cannot be read: {rule}."


def test_an_exchange_with_an_own_account_may_leave_out_what_arrives() -> None:
    ledgers = read([{"type": "exchange", "date": "2026-01-05", "amount": 5, "to_account_id": "B"}])
    assert ledgers.issues == [()]
    assert [own.to_amount for own in ledgers.transactions.of(0)] == [None]


@pytest.mark.parametrize("ratio", [0, -1])
def test_a_ratio_is_positive(ratio: float) -> None:
    for name in ("symbol_change", "merger", "spin_off"):
        assert only(read([{**SAMPLES[name], "ratio": ratio}])).text.endswith("cannot be read: ratio is not positive.")


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", "05.01.2026", "2026-02-30", "2026-W05-1", "20260105", "2026-1-5", 20260105, True, [], Code("x"),
     DatetimeMS(2**60)],
)  # fmt: skip
def test_without_a_date_that_can_be_read_nothing_is_sound(value: object) -> None:
    ledgers = read([{**BUY, "transaction_id": "T1", "date": value}, BUY])
    issue = only(ledgers)
    rule = "no field `date`" if value is None else "date is neither a date nor text like 2026-01-31"
    assert (issue.kind, issue.date, issue.text) == (
        "unreadable",
        None,
        f"Transaction T1 cannot be read: {rule}.",
    )
    assert last_unsound(ledgers) == FOR_EVER
    assert list(ledgers.transactions.of(0)) == [READ]


@pytest.mark.parametrize("value", [Code("AAPL"), Code("f(x);"), ["AAPL"], {"$gt": ""}, 7])
def test_a_symbol_of_whatever_type_is_read_or_told(value: object) -> None:
    ledgers = read([{**BUY, "symbol": value}])
    if str(value) == "AAPL":
        assert [own.symbol for own in ledgers.transactions.of(0)] == ["AAPL"]
        assert symbols_of([{"symbol": value}], str) == {"AAPL"}
    else:
        assert only(ledgers).text.endswith("symbol is not a text that can be one.")
        assert symbols_of([{"symbol": value}], str) == frozenset()


def test_a_transaction_later_than_today_is_left_out_whatever_it_says() -> None:
    tomorrow = datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
    ledgers = read([{**BUY, "date": tomorrow, "quantity": "?"}, {**BUY, "date": tomorrow - timedelta(milliseconds=1)}])
    issue = only(ledgers)
    assert (issue.kind, issue.date) == ("future_transaction", date(2026, 3, 3))
    assert issue.text == "A transaction without id of 2026-03-03 is later than today, and left out."
    assert last_unsound(ledgers) is None
    assert [own.date for own in ledgers.transactions.of(0)] == [TODAY]


def test_the_same_id_and_content_counts_once_however_it_is_stored() -> None:
    twin = {**BUY, "transaction_id": "7", "quantity": Decimal128("10"), "date": "2026-01-05T00:00", "note": "again"}
    ledgers = read([{**BUY, "transaction_id": 7}, twin, {**BUY, "transaction_id": Int64(7)}])
    assert [issue.kind for issue in ledgers.issues[0]] == ["duplicate_id", "duplicate_id"]
    assert ledgers.issues[0][0].text == "Transaction 7 of 2026-01-05 is stored twice: it counts once."
    assert list(ledgers.transactions.of(0)) == [bought(transaction_id="7")]
    assert last_unsound(ledgers) is None


@pytest.mark.parametrize("other", [{"quantity": 11}, {"date": "2026-02-05"}, {"quantity": "?"}, {"symbol": "MSFT"}])
def test_the_same_id_with_other_content_is_unsound_until_the_later_of_both(other: dict[str, Any]) -> None:
    for documents in ([BUY, BUY | other], [BUY | other, BUY]):
        ledgers = read([{**document, "transaction_id": "T1"} for document in documents])
        (issue,) = [issue for issue in ledgers.issues[0] if issue.kind == "duplicate_id"]
        assert issue.text.endswith(" is not the only one with this id, and they differ.")
        assert last_unsound(ledgers) == date.fromisoformat(other.get("date", "2026-01-05"))


def test_transactions_without_an_id_and_those_of_two_people_are_no_duplicates() -> None:
    assert len(read([BUY, BUY]).transactions.owner) == 2
    reader = LedgerReader(2, TODAY, str)
    reader.add([0, 1], [{**BUY, "transaction_id": "T1"}, {**BUY, "transaction_id": "T1"}])
    ledgers = reader.ledgers([0, 1])
    assert (list(ledgers.issues), ledgers.transactions.owner.tolist()) == ([(), ()], [0, 1])


def test_the_order_is_that_of_booking() -> None:
    documents = [
        {**SAMPLES["withdrawal"], "transaction_id": "h"},
        {**SAMPLES["sell"], "transaction_id": "g"},
        {**SAMPLES["fee"], "transaction_id": "f"},
        {**BUY, "transaction_id": "e", "date": "2026-01-05T10:00:00"},
        {**BUY, "transaction_id": "d2"},
        {**BUY, "transaction_id": "d1"},
        {**SAMPLES["deposit"], "transaction_id": "c"},
        {**SAMPLES["split"], "transaction_id": "b"},
        {**SAMPLES["withdrawal"], "transaction_id": "a", "date": "2026-01-04"},
    ]
    expected = ["a", "b", "c", "d1", "d2", "e", "f", "g", "h"]
    for some in (documents, documents[::-1]):
        assert [own.transaction_id for own in read(some).transactions.of(0)] == expected


def test_only_the_first_of_very_many_issues_are_told_and_how_many_more_there_are() -> None:
    (issues,) = read([{**BUY, "quantity": "?"}] * 250).issues
    assert len(issues) == MOST_ISSUES + 1
    assert issues[-1].text == "There are 150 more issues."


def test_of_a_user_with_too_many_transactions_none_is_read_and_others_are() -> None:
    reader = LedgerReader(2, TODAY, str)
    for _ in range(MOST_TRANSACTIONS // 1_000 + 1):
        reader.add([0] * 1_000, [dict(BUY)] * 1_000)
    reader.add([1], [dict(BUY)])
    ledgers = reader.ledgers([0, 1])
    assert [[issue.text for issue in own] for own in ledgers.issues] == [
        ["There are more than 20,000 transactions: none is read."],
        [],
    ]
    assert (ledgers.transactions.owner.tolist(), last_unsound(ledgers)) == ([1], FOR_EVER)


def test_an_unforeseen_error_costs_only_the_ledger_of_its_user(caplog: pytest.LogCaptureFixture) -> None:
    def spelling(symbol: str) -> str:
        if symbol == "SECRET":
            raise ValueError(symbol)
        return symbol

    reader = LedgerReader(2, TODAY, spelling)
    reader.add([0, 1, 1], [{**BUY, "symbol": "SECRET"}, dict(BUY), dict(BUY)])
    ledgers = reader.ledgers([0, 1])
    assert [len(own) for own in ledgers.issues] == [1, 0]
    assert (ledgers.transactions.owner.tolist(), last_unsound(ledgers)) == ([1, 1], FOR_EVER)
    assert "ValueError in spelling" in caplog.text
    assert "SECRET" not in caplog.text


def test_no_text_shows_a_value_or_a_sign_that_cannot_be_seen() -> None:
    document = {**BUY, "transaction_id": "T\u202e1\n" + "x" * 100, "quantity": "987654321 shares", "currency": "secret"}
    text = only(read([document])).text
    assert "987654321" not in text
    assert "secret" not in text
    assert text.isprintable()
    assert len(text) < 150


@pytest.mark.parametrize("dates", [["2026-01-05"], [datetime(2026, 1, 5, 14, 30, tzinfo=utc)]])
def test_normal_documents_are_never_read_value_by_value(monkeypatch: pytest.MonkeyPatch, dates: list[object]) -> None:
    def slow(value: object) -> None:
        raise AssertionError(value)

    for name in ("number_of", "text_of", "_moment"):
        monkeypatch.setattr(document_columns, name, slow)
    plain = [
        {**document, "date": dates[0], "transaction_id": f"T{number}", "account_id": "A", "currency": "USD", "fee": 1.5}
        for number, document in enumerate(SAMPLES.values())
    ]
    ledgers = read(plain)
    assert (len(ledgers.transactions.owner), ledgers.issues) == (len(SAMPLES), [()])


def test_one_odd_value_changes_nothing_for_the_others() -> None:
    odd = {**BUY, "quantity": Decimal128("10"), "date": datetime(2026, 1, 5, tzinfo=utc), "account_id": ObjectId()}
    ledgers = read([BUY, odd, BUY])
    assert [(own.quantity, own.date) for own in ledgers.transactions.of(0)] == [(10.0, date(2026, 1, 5))] * 3


def test_without_users_or_documents_there_are_empty_ledgers() -> None:
    several: list[list[dict[str, Any]]] = [[], [{}], [dict(BUY)]]
    for documents in several:
        reader = LedgerReader(1, TODAY, str)
        reader.add([0] * len(documents), documents)
        assert len(reader.ledgers([]).transactions.owner) == 0
        assert len(reader.ledgers([0]).issues) == 1


def test_a_ledger_that_changed_is_read_again_without_what_was_read_before() -> None:
    reader = LedgerReader(2, TODAY, str)
    reader.add([0, 0, 1], [dict(BUY), {}, {**BUY, "quantity": "?"}])
    reader.forget([0])
    reader.add([0], [{**BUY, "symbol": "MSFT"}])
    ledgers = reader.ledgers([0, 1], [1])
    assert [own.symbol for own in ledgers.transactions.of(0)] == ["MSFT"]
    assert [len(issues) for issues in ledgers.issues] == [0, 2]
    assert [last_unsound(ledgers, owner) for owner in (0, 1)] == [None, FOR_EVER]
