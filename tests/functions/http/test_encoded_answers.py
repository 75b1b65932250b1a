"""Reports are compressed for callers that accept it, and for no others."""

import azure.functions as func
import pytest
import zstandard

from functions.http.encoded_answers import encoded_response

REPORT = b'{"user_id":"ann","holdings":[]}' * 100


def answered(accepted: str | None) -> func.HttpResponse:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    return encoded_response(func.HttpRequest("GET", "http://localhost/", headers=headers, body=b""), REPORT)


@pytest.mark.parametrize("accepted", ["zstd", "gzip, deflate, ZSTD", "gzip;q=1.0, zstd;q=0.1"])
def test_a_caller_that_accepts_it_gets_the_same_bytes_compressed(accepted: str) -> None:
    answer = answered(accepted)
    assert answer.headers["Content-Encoding"] == "zstd"
    assert len(answer.get_body()) < len(REPORT) / 10
    # Without a dictionary, which no caller has.
    assert zstandard.ZstdDecompressor().decompress(answer.get_body()) == REPORT


@pytest.mark.parametrize("accepted", [None, "", "gzip, br", "identity", "gzip, zstd;q=0"])
def test_any_other_caller_gets_them_as_they_are(accepted: str | None) -> None:
    answer = answered(accepted)
    assert "Content-Encoding" not in answer.headers
    assert (answer.get_body(), answer.headers["Vary"]) == (REPORT, "Accept-Encoding")
