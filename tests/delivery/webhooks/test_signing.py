import base64
import json
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from delivery.webhooks.signing import InvalidSigningSecret, signed_headers

EVENT_ID = "evt_00112233445566778899aabbccddeeff"
BODY = json.dumps({"type": "portfolio-analysis.digest", "data": {"name": "é"}}, ensure_ascii=False).encode()


def whsec(first: int = 0, length: int = 24) -> str:
    return "whsec_" + base64.b64encode(bytes(range(first, first + length))).decode()


def test_the_signature_is_the_one_in_the_tests_of_the_official_libraries() -> None:
    # standard-webhooks/standard-webhooks, libraries/go/webhook_symmetric_test.go, TestSymmetricWebhookSign.
    assert signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    ) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("length", [24, 25, 32, 64])
def test_the_official_library_accepts_the_signature(length: int) -> None:
    headers = signed_headers(whsec(length=length), EVENT_ID, int(time.time()), BODY)
    assert Webhook(whsec(length=length)).verify(BODY, headers) == json.loads(BODY)


def test_while_a_secret_is_replaced_the_old_and_the_new_one_accept_the_signature_and_no_other() -> None:
    headers = signed_headers(f"{whsec(1)} {whsec(2)}", EVENT_ID, int(time.time()), BODY)
    for known in (whsec(1), whsec(2)):
        Webhook(known).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(3)).verify(BODY, headers)


def test_another_body_id_or_timestamp_is_refused() -> None:
    headers = signed_headers(whsec(), EVENT_ID, int(time.time()), BODY)
    for body, others in (
        (BODY + b" ", {}),
        (BODY, {"webhook-id": EVENT_ID[:-1] + "0"}),
        (BODY, {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(whsec()).verify(body, headers | others)


@pytest.mark.parametrize(
    "secret_text",
    [
        "",
        " ",
        "whsec_",
        whsec().removeprefix("whsec_"),
        whsec(length=23),
        whsec(length=65),
        whsec(length=25).rstrip("="),
        whsec().replace("_", "-"),
        whsec()[:-1] + "_",
        whsec() + "\u00e9",
        whsec().replace("whsec_", "whsk_"),
        f"{whsec()},{whsec()}",
        f"{whsec()} {whsec(length=23)}",
    ],
)
def test_a_secret_of_another_form_is_refused_and_never_quoted(secret_text: str) -> None:
    with pytest.raises(InvalidSigningSecret) as caught:
        signed_headers(secret_text, EVENT_ID, 0, BODY)
    assert "AAEC" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
