import base64
import contextlib
import itertools
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from delivery.webhooks.sending import RESOLVED_SECONDS, Answer, Sender
from endpoints import Endpoint
from tests.conftest import free_port
from tests.delivery.webhooks.receiver import Behavior, Exchange, a_receiver, answering

SIGNED_BY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EVENT_ID = "evt_00112233445566778899aabbccddeeff"
BODY = json.dumps({"type": "portfolio-analysis.digest", "id": EVENT_ID}).encode()
NOW = datetime(2026, 11, 27, 1, 30, tzinfo=UTC)
ENOUGH_SECONDS = 60.0
"""A limit that is never reached."""
SHORT_SECONDS = 0.3
"""For attempts that end by the limit alone."""
SECONDS_FOR_HEADERS = 2.0
"""For one that ends by the limit, but gets the headers of an answer before."""


PIECES = [
    b"HTTP/1.1 ", b"HTTP/1.0 ", b"200", b"301", b"410", b"503", b" OK", b"\r\n", b"\n", b"\r\n\r\n", b": ", b"\xff",
    b"\0", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Connection: keep-alive\r\n", b"Retry-After: ",
    b"-1", b"5", b"99999999999999999999", b"Fri, 27 Nov 2026 01:32:00 GMT",
]  # fmt: skip
"""Of answers, to be put together in a well-formed way by chance only."""


def an_endpoint(url: str) -> Endpoint:
    return Endpoint(endpoint_id="crm", url=url, secret_name="webhook-crm")


def send(sender: Sender, url: str, event_id: str = EVENT_ID, body: bytes = BODY) -> Answer:
    answer = sender.send(an_endpoint(url), SIGNED_BY, event_id, body)
    for hidden in (url, SIGNED_BY[:16], "digest"):
        assert hidden not in repr(answer)
    return answer


def a_sender(time_limit_seconds: float = ENOUGH_SECONDS, *, allow_private: bool = True) -> closing[Sender]:
    return closing(Sender(allow_private=allow_private, time_limit_seconds=time_limit_seconds, now=lambda: NOW))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let senders trust one authority instead of all, which they would read for each test."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.fixture
def sender() -> Iterator[Sender]:
    with a_sender() as sender:
        yield sender


@pytest.fixture
def hasty_sender() -> Iterator[Sender]:
    with a_sender(SHORT_SECONDS) as sender:
        yield sender


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Iterator[list[str]]]:
    """Replace the system's look-up: each one of a name gives its next addresses."""
    answers: dict[str, Iterator[list[str]]] = {}

    def look_up(host: str, port: int, **_: object) -> list[object]:
        found = next(answers[host]) if host in answers else []
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


def test_an_event_arrives_signed_and_complete() -> None:
    with closing(Sender(allow_private=True)) as sender, a_receiver() as receiver:
        assert send(sender, receiver.url(path="/hook/a?b=c&d=%20")) == Answer("delivered", 204)
    (request,) = receiver.requests
    assert request.line == "POST /hook/a?b=c&d=%20 HTTP/1.1"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["Content-Type"] == "application/cloudevents+json"
    assert request.headers["User-Agent"] == "portfolio-analysis-webhooks/1"
    assert request.headers["webhook-id"] == EVENT_ID
    assert Webhook(SIGNED_BY).verify(request.body, request.headers) == json.loads(BODY)


def test_each_attempt_has_its_own_time_and_signature() -> None:
    now = NOW
    with closing(Sender(allow_private=True, now=lambda: now)) as sender, a_receiver() as receiver:
        for seconds in (0, 5, 35):
            now = NOW + timedelta(seconds=seconds)
            send(sender, receiver.url())
    sent = [request.headers for request in receiver.requests]
    assert [int(own["webhook-timestamp"]) - int(NOW.timestamp()) for own in sent] == [0, 5, 35]
    assert len({own["webhook-signature"] for own in sent}) == 3
    assert {own["webhook-id"] for own in sent} == {EVENT_ID}


def test_a_url_without_path_means_the_root(sender: Sender) -> None:
    with a_receiver() as receiver:
        assert send(sender, receiver.url(path="")).outcome == "delivered"
    assert receiver.requests[0].line == "POST / HTTP/1.1"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_is_delivered(status: int, sender: Sender) -> None:
    with a_receiver(answering(status)) as receiver:
        assert send(sender, receiver.url()) == Answer("delivered", status)


def test_a_receiver_that_is_gone_wants_no_more(sender: Sender) -> None:
    with a_receiver(answering(410, "Retry-After: 5")) as receiver:
        assert send(sender, receiver.url()) == Answer("gone", 410, "gone")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 599])
def test_any_other_answer_is_a_failure_with_its_status(status: int, sender: Sender) -> None:
    with a_receiver(answering(status)) as receiver:
        assert send(sender, receiver.url()) == Answer("failed", status, f"status_{status}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta()),
        ("120", timedelta(minutes=2)),
        ("86401", timedelta(hours=24)),
        ("9" * 400, timedelta(hours=24)),
        ("Fri, 27 Nov 2026 01:32:00 GMT", timedelta(minutes=2)),
        ("Friday, 27-Nov-26 01:32:00 GMT", timedelta(minutes=2)),
        ("Fri, 27 Nov 2026 01:00:00 GMT", timedelta()),
        ("Sun, 29 Nov 2026 01:30:00 GMT", timedelta(hours=24)),
        ("Fri, 27 Nov 2026 01:32:00", None),
        ("Fri, 31 Feb 2026 01:32:00 GMT", None),
        ("Fri, 27 Nov 99999999999 01:32:00 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\u0661", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_time_that_a_receiver_asks_for_is_given_in_seconds_or_as_a_date(
    status: int, text: str, expected: timedelta | None, sender: Sender
) -> None:
    with a_receiver(answering(status, f"Retry-After: {text}")) as receiver:
        assert send(sender, receiver.url()) == Answer("failed", status, f"status_{status}", expected)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(status: int, sender: Sender) -> None:
    with a_receiver(address="127.0.0.2") as inside:
        location = f"Location: {inside.url('127.0.0.2')}"
        with a_receiver(answering(status, location)) as receiver:
            assert send(sender, receiver.url()) == Answer("failed", status, "redirected")
    assert inside.connections == 0


def test_nothing_is_sent_that_cannot_be_signed(sender: Sender) -> None:
    with a_receiver() as receiver:
        assert sender.send(an_endpoint(receiver.url()), "whsec_short", EVENT_ID, BODY) == Answer(
            "failed", problem="invalid_secret"
        )
    assert receiver.connections == 0


class TestConnections:
    @pytest.mark.parametrize(
        "behavior",
        [
            answering(204),
            answering(200, body=b"x" * 20_000),
            answering(500, body=b"sorry"),
            lambda exchange: exchange.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
            ),
        ],
    )
    def test_a_connection_is_used_again(self, behavior: Behavior, sender: Sender) -> None:
        with a_receiver(behavior) as receiver:
            assert len({send(sender, receiver.url()) for _ in range(3)}) == 1
        assert [request.connection for request in receiver.requests] == [1, 1, 1]

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000,
            b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n" + b"x" * 70_000,
        ],
    )
    def test_a_connection_whose_answer_may_not_be_at_its_end_is_not_used_again(
        self, answer: bytes, sender: Sender
    ) -> None:
        with a_receiver(lambda exchange: exchange.send(answer)) as receiver:
            assert [send(sender, receiver.url()).outcome for _ in range(2)] == ["delivered"] * 2
        assert [request.connection for request in receiver.requests] == [1, 2]

    def test_an_answer_that_follows_another_one_is_not_taken_for_that_to_the_next_event(self, sender: Sender) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
        with a_receiver(lambda exchange: exchange.send(early)) as receiver:
            assert send(sender, receiver.url()) == Answer("failed", 103, "status_103")
            receiver.behavior = answering(500)
            assert send(sender, receiver.url()).status == 500
        assert [request.connection for request in receiver.requests] == [1, 2]

    def test_what_a_receiver_sends_unasked_ends_the_use_of_the_connection(self, sender: Sender) -> None:
        sent = threading.Event()

        def answer_twice(exchange: Exchange) -> None:
            answering(500)(exchange)
            answering(200)(exchange)
            sent.set()

        with a_receiver(answer_twice) as receiver:
            for _ in range(2):
                assert send(sender, receiver.url()).status == 500
                assert sent.wait(ENOUGH_SECONDS)

    def test_a_connection_that_the_receiver_has_closed_meanwhile_is_not_used_again(self, sender: Sender) -> None:
        def answer_and_close(exchange: Exchange) -> None:
            answering()(exchange)
            exchange.close()

        with a_receiver(answer_and_close) as receiver:
            for number in (1, 2):
                assert send(sender, receiver.url()).outcome == "delivered"
                receiver.wait_until_closed(number)
        assert [request.connection for request in receiver.requests] == [1, 2]

    def test_a_kept_connection_that_is_closed_on_the_next_request_is_replaced_within_the_attempt(
        self, sender: Sender
    ) -> None:
        def answer_the_first_only(exchange: Exchange) -> None:
            seen = [request.connection for request in receiver.requests]
            answering()(exchange) if seen.count(exchange.request.connection) == 1 else exchange.close()

        with a_receiver(answer_the_first_only) as receiver:
            assert [send(sender, receiver.url()).outcome for _ in range(2)] == ["delivered"] * 2
        assert [request.connection for request in receiver.requests] == [1, 1, 2]

    def test_a_request_is_repeated_once_at_most(self, sender: Sender) -> None:
        with a_receiver() as receiver:
            send(sender, receiver.url())
            receiver.behavior = Exchange.close
            assert send(sender, receiver.url()) == Answer("failed", problem="connection_failed")
        assert [request.connection for request in receiver.requests] == [1, 1, 2]

    def test_a_request_is_not_repeated_once_an_answer_has_begun(self, sender: Sender) -> None:
        def begin_and_break_off(exchange: Exchange) -> None:
            exchange.send(b"HTTP/1.1 200 OK\r\nX-")
            exchange.reset()

        with a_receiver() as receiver:
            send(sender, receiver.url())
            receiver.behavior = begin_and_break_off
            assert send(sender, receiver.url()) == Answer("failed", problem="connection_failed")
        assert [request.connection for request in receiver.requests] == [1, 1]

    def test_connections_of_one_address_and_two_names_are_not_mixed(
        self, sender: Sender, names: dict[str, Iterator[list[str]]]
    ) -> None:
        for name in ("one.example", "two.example"):
            names[name] = itertools.repeat(["127.0.0.1"])
        with a_receiver() as receiver:
            for name in ("one.example", "two.example", "one.example"):
                send(sender, receiver.url(name))
        hosts = [request.headers["Host"].partition(":")[0] for request in receiver.requests]
        assert hosts == ["one.example", "two.example", "one.example"]
        assert [request.connection for request in receiver.requests] == [1, 2, 1]

    def test_many_threads_use_a_sender_at_once_without_mixing_their_events(self, sender: Sender) -> None:
        def answer_by_body(exchange: Exchange) -> None:
            answering(200 + int(exchange.request.body))(exchange)

        with a_receiver(answer_by_body) as receiver, ThreadPoolExecutor(16) as pool:
            bodies = [str(number % 90).encode() for number in range(400)]
            answers = pool.map(lambda body: send(sender, receiver.url(), f"evt_{body.decode()}", body), bodies)
            assert [answer.status for answer in answers] == [200 + int(body) for body in bodies]
        assert receiver.connections <= 16
        assert all(request.headers["webhook-id"] == f"evt_{request.body.decode()}" for request in receiver.requests)

    def test_cookies_are_not_kept_and_proxies_of_the_environment_not_used(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        with a_receiver(answering(200, "Set-Cookie: a=b")) as receiver:
            for _ in range(2):
                assert send(sender, receiver.url()).outcome == "delivered"
        assert all("Cookie" not in request.headers for request in receiver.requests)


class TestTimeAndSize:
    @pytest.mark.parametrize(
        "behavior",
        [
            Exchange.wait,
            lambda exchange: exchange.drip(b"H"),
            lambda exchange: (exchange.send(b"HTTP/1.1 200 OK\r\nX-A: "), exchange.drip(b"a")),
            lambda exchange: (exchange.send(b"HTTP/1.1 200 OK\r\n"), exchange.drip(b"X-A: b\r\n")),
            lambda exchange: exchange.drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
        ],
        ids=["silent", "dripping", "dripping header", "dripping headers", "dripping continuations"],
    )
    def test_an_attempt_ends_in_time_however_slowly_the_answer_comes(
        self, behavior: Behavior, hasty_sender: Sender
    ) -> None:
        with a_receiver(behavior) as receiver:
            assert send(hasty_sender, receiver.url()).problem == "timed_out"

    def test_a_receiver_that_never_answers_times_out(self, hasty_sender: Sender) -> None:
        with a_receiver(Exchange.wait) as receiver:
            assert send(hasty_sender, receiver.url()) == Answer("failed", problem="timed_out")

    def test_a_kept_connection_that_is_silent_takes_the_whole_time_and_is_not_replaced(self, sender: Sender) -> None:
        with a_receiver() as receiver:
            send(sender, receiver.url())
            receiver.behavior = Exchange.wait
            sender.time_limit_seconds = SHORT_SECONDS
            assert send(sender, receiver.url()) == Answer("failed", problem="timed_out")
        assert [request.connection for request in receiver.requests] == [1, 1]

    def test_a_receiver_that_accepts_no_connection_in_time_times_out(self, hasty_sender: Sender) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
            address = listener.getsockname()
            for _ in range(4):  # no place is left in its queue
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
            assert send(hasty_sender, f"http://127.0.0.1:{address[1]}/") == Answer("failed", problem="timed_out")

    def test_a_receiver_that_reads_nothing_times_out(self, hasty_sender: Sender) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            assert send(hasty_sender, url, body=b"x" * 20_000_000).problem == "timed_out"

    def test_a_receiver_that_never_ends_its_handshake_times_out(self, hasty_sender: Sender) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            assert send(hasty_sender, f"https://127.0.0.1:{listener.getsockname()[1]}/").problem == "timed_out"

    @pytest.mark.parametrize(
        ("behavior", "problem"),
        [
            (lambda exchange: exchange.flood(b"H" * 1000), "answer_too_long"),
            (
                lambda exchange: (exchange.send(b"HTTP/1.1 200 OK\r\nX: "), exchange.flood(b"a" * 1000)),
                "answer_too_long",
            ),
            (
                lambda exchange: (exchange.send(b"HTTP/1.1 200 OK\r\n"), exchange.flood(b"X: b\r\n")),
                "answer_ill_formed",
            ),
            (
                lambda exchange: (
                    exchange.send(b"HTTP/1.1 200 OK\r\n"),
                    exchange.flood(b"X: " + b"b" * 9000 + b"\r\n"),
                ),
                "answer_too_long",
            ),
            (lambda exchange: exchange.flood(b"HTTP/1.1 100 Continue\r\n\r\n"), "answer_too_long"),
        ],
        ids=["line", "header", "headers", "long headers", "continuations"],
    )
    def test_an_answer_without_end_is_not_read_further(self, behavior: Behavior, problem: str, sender: Sender) -> None:
        with a_receiver(behavior) as receiver:
            assert send(sender, receiver.url()).problem == problem

    @pytest.mark.parametrize(
        "behavior",
        [
            lambda exchange: (exchange.send(b"HTTP/1.1 200 OK\r\n\r\n"), exchange.flood(b"x" * 1000)),
            lambda exchange: (
                exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                exchange.flood(b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
            ),
            lambda exchange: (
                exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"),
                exchange.flood(b"x" * 1000),
            ),
        ],
        ids=["until the end", "chunked", "of a length"],
    )
    def test_the_status_counts_whatever_follows_it_and_the_rest_is_not_awaited(
        self, behavior: Behavior, sender: Sender
    ) -> None:
        with a_receiver(behavior) as receiver:
            assert [send(sender, receiver.url()) for _ in range(2)] == [Answer("delivered", 200)] * 2
        assert [request.connection for request in receiver.requests] == [1, 2]

    def test_the_status_counts_also_if_the_body_is_not_complete_in_time(self, sender: Sender) -> None:
        def drip(exchange: Exchange) -> None:
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
            exchange.drip(b"x")

        sender.time_limit_seconds = SECONDS_FOR_HEADERS
        with a_receiver(drip) as receiver:
            assert send(sender, receiver.url()) == Answer("delivered", 200)
            receiver.behavior = answering(500)
            assert send(sender, receiver.url()).status == 500
        assert [request.connection for request in receiver.requests] == [1, 2]

    @pytest.mark.parametrize(
        "answer", [b"garbage\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"\x00" * 100 + b"\r\n", b"SSH-2.0-x\r\n"]
    )
    def test_an_answer_that_is_not_http_is_a_failure(self, answer: bytes, sender: Sender) -> None:
        with a_receiver(lambda exchange: exchange.send(answer)) as receiver:
            assert send(sender, receiver.url()) == Answer("failed", problem="answer_ill_formed")

    def test_whatever_a_receiver_sends_the_result_is_an_answer(self, sender: Sender) -> None:
        @given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=12).map(b"".join))
        @example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        @settings(max_examples=150, deadline=None)
        def any_answer_is_judged(answer: bytes) -> None:
            def send_and_close(exchange: Exchange) -> None:
                exchange.send(answer)
                exchange.close()

            receiver.behavior = send_and_close
            judged = send(sender, receiver.url())
            assert (judged.problem is None) is (judged.outcome == "delivered")
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*|status_[1-9][0-9]{2}", judged.problem or "delivered")

        with a_receiver() as receiver:
            any_answer_is_judged()

    def test_a_connection_that_is_closed_without_an_answer_is_a_failure(self, sender: Sender) -> None:
        with a_receiver(Exchange.close) as receiver:
            assert send(sender, receiver.url()) == Answer("failed", problem="connection_failed")
        assert len(receiver.requests) == 1

    def test_a_port_on_which_nobody_listens_is_a_failure(self, sender: Sender) -> None:
        assert send(sender, f"http://127.0.0.1:{free_port()}/") == Answer("failed", problem="connection_failed")


class TestNames:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"]
    )
    def test_nothing_is_sent_to_a_private_address(self, host: str) -> None:
        with a_receiver() as receiver, a_sender(allow_private=False) as sender:
            answer = send(sender, receiver.url(host))
        assert answer.problem in ("address_refused", "name_not_resolved")
        assert receiver.connections == 0

    def test_a_name_with_a_private_address_is_refused(self, names: dict[str, Iterator[list[str]]]) -> None:
        names["crm.example"] = itertools.repeat(["8.8.8.8", "127.0.0.1"])
        with a_receiver() as receiver, a_sender(allow_private=False) as sender:
            assert send(sender, receiver.url("crm.example")) == Answer("failed", problem="address_refused")
        assert receiver.connections == 0

    def test_a_name_that_changes_its_address_after_the_check_leads_to_the_checked_one(
        self, sender: Sender, names: dict[str, Iterator[list[str]]]
    ) -> None:
        names["crm.example"] = iter([["127.0.0.1"], ["127.0.0.2"]])
        with a_receiver() as checked, a_receiver(address="127.0.0.2", port=checked.port) as inside:
            assert send(sender, checked.url("crm.example")).outcome == "delivered"
            assert (checked.connections, inside.connections) == (1, 0)
            # It is looked up again after a moment, also if there is a connection to its earlier address.
            assert send(sender, checked.url("crm.example")).outcome == "delivered"
            assert (checked.connections, inside.connections) == (1, 0)
            time.sleep(RESOLVED_SECONDS)
            assert send(sender, checked.url("crm.example")).outcome == "delivered"
            assert (checked.connections, inside.connections) == (1, 1)

    def test_a_name_that_becomes_private_is_refused_although_a_connection_was_kept(
        self, names: dict[str, Iterator[list[str]]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names["crm.example"] = iter([["127.0.0.1"], ["127.0.0.2"]])
        monkeypatch.setattr("delivery.webhooks.addresses.is_public", lambda address: str(address) == "127.0.0.1")
        with a_receiver() as receiver, a_sender(allow_private=False) as sender:
            assert send(sender, receiver.url("crm.example")).outcome == "delivered"
            time.sleep(RESOLVED_SECONDS)
            assert send(sender, receiver.url("crm.example")).problem == "address_refused"
        assert len(receiver.requests) == 1

    def test_the_next_address_is_tried_if_one_accepts_no_connection(
        self, sender: Sender, names: dict[str, Iterator[list[str]]]
    ) -> None:
        names["crm.example"] = itertools.repeat(["127.0.0.2", "127.0.0.1"])
        with a_receiver() as receiver:
            assert send(sender, receiver.url("crm.example")).outcome == "delivered"

    def test_a_name_without_address_is_a_failure(self, sender: Sender, names: dict[str, Iterator[list[str]]]) -> None:
        assert names == {}
        assert send(sender, "https://crm.example/") == Answer("failed", problem="name_not_resolved")

    def test_a_name_whose_look_up_does_not_end_is_a_failure_in_time(
        self, hasty_sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait())
        try:
            assert send(hasty_sender, "https://crm.example/") == Answer("failed", problem="name_not_resolved")
        finally:
            ended.set()

    @pytest.mark.parametrize(
        ("host", "address", "shown"),
        [("[::1]", "::1", "[::1]:{port}"), ("LOCALHOST", "127.0.0.1", "localhost:{port}")],
    )
    def test_the_host_header_is_the_name(self, host: str, address: str, shown: str, sender: Sender) -> None:
        with a_receiver(address=address) as receiver:
            assert send(sender, receiver.url(host)).outcome == "delivered"
        assert receiver.requests[0].headers["Host"] == shown.format(port=receiver.port)


def tls(authority: trustme.CA, host: str, then: Callable[[str | None], None] = lambda _: None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    context.sni_callback = lambda _sock, name, _context: then(name)
    return context


class TestTls:
    @pytest.fixture
    def sender(self, names: dict[str, Iterator[list[str]]]) -> Iterator[Sender]:
        names["crm.example"] = itertools.repeat(["127.0.0.1"])
        names["crm.example."] = itertools.repeat(["127.0.0.1"])
        with a_sender() as sender:
            yield sender

    @pytest.mark.parametrize("host", ["crm.example", "CRM.example", "crm.example."])
    def test_the_certificate_is_that_of_the_name_not_of_the_address(
        self, host: str, authority: trustme.CA, sender: Sender
    ) -> None:
        asked: list[str | None] = []
        with a_receiver(tls=tls(authority, "crm.example", asked.append)) as receiver:
            assert [send(sender, receiver.url(host)).outcome for _ in range(2)] == ["delivered"] * 2
        assert [request.connection for request in receiver.requests] == [1, 1]
        assert asked == ["crm.example"]
        assert receiver.requests[0].headers["Host"] == f"crm.example:{receiver.port}"

    @pytest.mark.parametrize("host", ["other.example", "127.0.0.1", "example"])
    def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(
        self, host: str, authority: trustme.CA, sender: Sender
    ) -> None:
        with a_receiver(tls=tls(authority, host)) as receiver:
            assert send(sender, receiver.url("crm.example")) == Answer("failed", problem="tls_failed")
        assert receiver.requests == []

    def test_an_unknown_authority_is_refused(self, sender: Sender) -> None:
        with a_receiver(tls=tls(trustme.CA(), "crm.example")) as receiver:
            assert send(sender, receiver.url("crm.example")) == Answer("failed", problem="tls_failed")
        assert receiver.requests == []

    def test_a_receiver_that_speaks_no_tls_gets_nothing(self, sender: Sender) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def speak() -> None:
                accepted, _ = listener.accept()
                with accepted:
                    accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    accepted.recv(10_000)

            thread = threading.Thread(target=speak)
            thread.start()
            url = f"https://crm.example:{listener.getsockname()[1]}/"
            assert send(sender, url) == Answer("failed", problem="tls_failed")
            thread.join()

    def test_a_kept_connection_that_is_closed_on_the_next_request_is_replaced(
        self, authority: trustme.CA, sender: Sender
    ) -> None:
        def answer_the_first_only(exchange: Exchange) -> None:
            seen = [request.connection for request in receiver.requests]
            answering()(exchange) if seen.count(exchange.request.connection) == 1 else exchange.close()

        with a_receiver(answer_the_first_only, tls=tls(authority, "crm.example")) as receiver:
            url = receiver.url("crm.example")
            assert [send(sender, url).outcome for _ in range(2)] == ["delivered"] * 2
        assert [request.connection for request in receiver.requests] == [1, 1, 2]
