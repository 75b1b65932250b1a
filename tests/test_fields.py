import pytest

from fields import Fields, FieldsError, shown
from settings import Settings, SettingsError

LOCAL = {"MONGODB_URL": "mongodb://127.0.0.1", "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}


def test_without_entries_everything_has_the_apps_own_names() -> None:
    for text in ("", " , ,"):
        assert all(place.is_plain and place.collection == name for name, place in Fields.read(text).places.items())


def test_entries_name_fields_and_places() -> None:
    fields = Fields.read(
        "holdings.quantity=shares, accounts.cash=balances.cash ,users.user_id=_id,holdings=users.p.q[]"
    )
    assert fields["holdings"].paths == {"symbol": ("symbol",), "quantity": ("shares",), "avg_price": ("avg_price",)}
    assert fields["accounts"].paths["cash"] == ("balances", "cash")
    holdings = fields["holdings"]
    assert (holdings.collection, holdings.key, holdings.inside, holdings.form) == (
        "users",
        ("_id",),
        ("p", "q"),
        "array",
    )
    assert holdings.described == "users.p.q[]"
    assert fields["watchlist"].is_plain


def test_a_backslash_makes_a_sign_a_part_of_a_name() -> None:
    fields = Fields.read(r"holdings=my\.own\,lots,holdings.symbol=a\.b.c\=\[\]\\d\{\}")
    assert fields["holdings"].collection == "my.own,lots"
    assert fields["holdings"].paths["symbol"] == ("a.b", r"c=[]\d{}")
    assert shown(fields["holdings"].paths["symbol"]) == r"a\.b.c\=\[\]\\d\{\}"


def test_the_symbol_is_the_key_of_a_map_unless_it_has_a_path() -> None:
    assert "symbol" not in Fields.read("holdings=users.p{}")["holdings"].paths
    assert Fields.read("holdings=users.p{},holdings.symbol=ticker")["holdings"].paths["symbol"] == ("ticker",)


def test_what_is_inside_renamed_documents_is_found_there() -> None:
    place = Fields.read("holdings=users.p[],users=people,users.user_id=profile.id")["holdings"]
    assert (place.collection, place.key) == ("people", ("profile", "id"))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("holdings", "entry holdings: write collection.field=path or collection=place"),
        ("stocks=x", "must be one of users, holdings, watchlist, accounts, instruments, transactions"),
        ("holdings.isin=x", "entry holdings.isin=x: the fields of holdings are user_id, symbol, quantity, avg_price"),
        ("holdings.symbol.x=y", "the fields of holdings are"),
        ("holdings.symbol=a..b", "a name in the path is empty"),
        ("holdings.symbol=", "a name in the path is empty"),
        ("holdings=.", "a name in the path is empty"),
        ("holdings.symbol=a,holdings.symbol=b", "entry holdings.symbol=b: holdings.symbol is there twice"),
        ("holdings.symbol=$x", "no name in a path can begin with $"),
        ("holdings.symbol=a=b", "elsewhere a backslash goes before such a sign"),
        ("holdings=users[].p[]", "elsewhere a backslash goes before such a sign"),
        ("holdings.symbol=x[]", "[] and {} are for whole collections, as in holdings=users.positions[]"),
        ("holdings=positions[]", "[] and {} follow a path inside documents, as in users.positions[]"),
        (r"holdings.symbol=a\b", r"\b in 'holdings.symbol=a\\b': a backslash stands before one of \.,={}[]"),
        ("holdings.symbol=a\\", "a backslash stands before one of"),
        ("holdings.symbol=.", "the path . is for elements of a list or map"),
        ("holdings=a.b", r"instruments, transactions; a dot in a name is written \."),
        ("users=people.all[]", "users cannot be inside other documents"),
        ("instruments=users.all[]", "instruments cannot be inside other documents"),
        ("holdings=holdings.p[]", "holdings cannot have holdings inside"),
        ("holdings=accounts.p[],accounts=users.w", "accounts cannot have holdings inside"),
        ("holdings=users.p[],holdings.user_id=x", "holdings are inside users: only users.user_id can be given"),
        (r"users.user_id=a\.b", "documents cannot be asked for by a field with a dot in its name"),
        ("holdings=users.p[],\nusers.user_id=_id", "has a line break or another sign that cannot be printed"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_used_is_named_with_its_rule(text: str, rule: str) -> None:
    with pytest.raises(FieldsError) as caught:
        Fields.read(text)
    assert rule in str(caught.value)
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(LOCAL | {"FIELDS": text})
    assert str(refused.value) == f"FIELDS {caught.value}"
    assert "\n" not in str(refused.value)


def test_the_settings_have_the_places() -> None:
    settings = Settings.from_environment(LOCAL | {"FIELDS": "holdings=positions"})
    assert settings.fields["holdings"].collection == "positions"
    assert Settings.from_environment(LOCAL).fields == Fields()
