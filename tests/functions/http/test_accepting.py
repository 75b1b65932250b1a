"""The choice of a kind of content by the header Accept, and the names of files."""

import azure.functions as func
import pytest

from functions.http.accepting import CSV, HTML, JSON, PDF, XLSX, NotAcceptable, negotiated
from functions.http.endpoint import Api
from functions.http.file_answers import file_response
from functions.http.requests import RunId

KINDS = (JSON, CSV, XLSX, HTML, PDF)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def asking(accept: str | None) -> func.HttpRequest:
    headers = {} if accept is None else {"Accept": accept}
    return func.HttpRequest("GET", "http://localhost/", headers=headers, body=b"")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON), ("", JSON), (";", JSON), ("*/*", JSON), ("application/*", JSON), ("application/json", JSON),
        ("text/csv", CSV), ("TEXT/CSV; charset=utf-8", CSV), (XLSX, XLSX), (PDF, PDF), (BROWSER, HTML),
        ("text/csv, */*", CSV), ("text/csv;q=0.1, */*", JSON), ("text/csv;q=0.5, application/pdf;q=0.9", PDF),
        ("application/json, text/csv", JSON), ("text/*", CSV), ("text/*, text/csv;q=0", HTML),
        ("image/png, text/csv;q=0.1", CSV), ("text/csv;q=high", CSV), ("*/*, application/json;q=0", CSV),
    ],
)  # fmt: skip
def test_the_kind_is_the_one_that_the_caller_likes_best(accept: str | None, expected: str) -> None:
    assert negotiated(asking(accept), KINDS) == expected


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0", "csv", "text/plain, image/*"])
def test_a_caller_that_accepts_no_kind_is_told_which_there_are(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"^Accept one of application/json, text/csv\.$") as refused:
        negotiated(asking(accept), (JSON, CSV))
    assert refused.value.status == 406


def without_the_kind(run_id: RunId) -> str:
    return run_id


def test_a_route_with_formats_takes_the_kind_that_was_chosen() -> None:
    with pytest.raises(TypeError, match="takes the kind of content"):
        Api().route("GET", "{run_id}", formats=(CSV,))(without_the_kind)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("list-ada", 'attachment; filename="list-ada.csv"'),
        ('a"b;c', "attachment; filename=\"a_b_c.csv\"; filename*=UTF-8''a%22b%3Bc.csv"),
        (
            "Ży 山\r\nX: y",
            "attachment; filename=\"_y_X_y.csv\"; filename*=UTF-8''%C5%BBy%20%E5%B1%B1%0D%0AX%3A%20y.csv",
        ),
        ("x" * 300, f'attachment; filename="{"x" * 150}.csv"'),
    ],
)
def test_a_file_has_a_name_that_no_user_id_can_break(name: str, expected: str) -> None:
    answer = file_response(b"a", CSV, name=name)
    assert answer.headers["Content-Disposition"] == expected
    assert (answer.mimetype, answer.charset) == ("text/csv", "utf-8")
