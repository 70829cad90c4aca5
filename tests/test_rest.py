"""One request and all that can become of it: over a mocked transport, and over real sockets."""

from __future__ import annotations

import ast
import contextlib
import logging
import re
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import httpx
import pytest
import respx
import trustme
from anyio.streams.tls import TLSStream

from realtime_client import Endpoint
from realtime_client.errors import (
    AcknowledgementTimeout,
    CertificateRefused,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    CredentialFailed,
    MissingCredentials,
    RealtimeError,
    RequestRefused,
    UsageError,
)
from realtime_client.rest import Rest, Retry
from realtime_client.rest.retry import REPEATABLE
from tests.test_pacing import virtual

KEY = "sk-very-secret-key"
BASE = "https://rest.example/v1/realtime"
ENDPOINT = Endpoint("wss://rest.example/v1/realtime", api_key=KEY)
SECRET = {"value": "ek_1", "expires_at": 1, "session": {"type": "realtime"}}
SDP = "v=0\r\n"

PAGE = Path(__file__).parents[1] / "docs" / "rest.md"

CONTEXT = ssl.create_default_context()
"""One for all, because reading the certificates is most of what a test would do."""

Do = Callable[[Rest], Awaitable[Any]]

REQUESTS: Mapping[str, tuple[str, Do, httpx.Response]] = {
    # name in the table: path, the call, its success
    "client_secrets.create": (
        "/client_secrets", lambda rest: rest.client_secrets.create(),
        httpx.Response(200, json=SECRET),
    ),
    "calls.create": (
        "/calls", lambda rest: rest.calls.create(SDP),
        httpx.Response(201, text=SDP, headers={"Location": "/v1/realtime/calls/rtc_1"}),
    ),
    "calls.accept": (
        "/calls/rtc_1/accept", lambda rest: rest.calls.accept("rtc_1"), httpx.Response(200)
    ),
    "calls.refer": (
        "/calls/rtc_1/refer", lambda rest: rest.calls.refer("rtc_1", target_uri="tel:+1"),
        httpx.Response(200),
    ),
    "calls.reject": (
        "/calls/rtc_1/reject", lambda rest: rest.calls.reject("rtc_1"), httpx.Response(200)
    ),
    "calls.hangup": (
        "/calls/rtc_1/hangup", lambda rest: rest.calls.hangup("rtc_1"), httpx.Response(200)
    ),
}  # fmt: skip

every_request = pytest.mark.parametrize("what", REQUESTS)
once_only = pytest.mark.parametrize("what", [name for name in REQUESTS if not REPEATABLE[name]])
twice = pytest.mark.parametrize("what", [name for name in REQUESTS if REPEATABLE[name]])


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def answering(server: respx.MockRouter, what: str, *outcomes: Any) -> respx.Route:
    """The server's answers to a request, in their order; what raises never answers."""
    return server.post(BASE + REQUESTS[what][0]).mock(side_effect=list(outcomes))


async def ask(what: str, endpoint: Endpoint = ENDPOINT, **options: Any) -> Any:
    context = CONTEXT if endpoint.url.startswith("wss:") else None
    async with Rest(endpoint, **{"ssl": context, **options}) as rest:
        return await REQUESTS[what][1](rest)


def refusal(status: int, **error: Any) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": "no", **error}})


def hides(error: BaseException) -> bool:
    """Nothing of an error, of what hangs on to it, and of our locals on its way has the key."""
    chain: BaseException | None = error
    while chain is not None:
        assert not isinstance(chain, httpx.HTTPError), chain
        ours = [
            frame.f_locals
            for frame, _ in traceback.walk_tb(chain.__traceback__)
            if "realtime_client" in Path(frame.f_code.co_filename).parts
        ]
        assert ours or chain is not error
        if KEY in f"{chain} {chain!r} {vars(chain)} {ours}":
            return False
        chain = chain.__cause__ or chain.__context__
    return True


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


# -- the page about it ---------------------------------------------------------------------------


def test_the_page_says_what_the_table_says() -> None:
    row = re.compile(r"^\| `([\w.]+)\(.*?\)` \|.*\| (yes|no): [^|]+ \|$", re.MULTILINE)
    said = dict(row.findall(PAGE.read_text()))
    assert said == {what: "yes" if twice else "no" for what, twice in REPEATABLE.items()}


def test_the_code_of_the_page_is_code() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 6
    for block in blocks:
        compile(block, str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


# -- success --------------------------------------------------------------------------------


def test_every_request_is_in_the_table() -> None:
    assert set(REQUESTS) == set(REPEATABLE)


@every_request
async def test_it_goes_to_the_endpoint_with_its_credential(
    what: str, server: respx.MockRouter
) -> None:
    route = answering(server, what, REQUESTS[what][2])
    await ask(what)
    (call,) = route.calls
    assert call.request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(call.request.url)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("wss://api.openai.com/v1/realtime", "https://api.openai.com/v1/realtime"),
        ("ws://localhost:8765/v1/realtime/", "http://localhost:8765/v1/realtime"),
        ("https://gateway.example/a/v1/realtime?model=m&key=s3cret",
         "https://gateway.example/a/v1/realtime"),
        ("wss://x.openai.azure.com/openai/v1/realtime",
         "https://x.openai.azure.com/openai/v1/realtime"),
        ("wss://api.openai.com/v1/realtime/translations", "https://api.openai.com/v1/realtime"),
        ("wss://api.openai.com/v1/realtime/translations/", "https://api.openai.com/v1/realtime"),
    ],
)  # fmt: skip
async def test_the_address_is_the_endpoints_own_without_its_query(
    url: str, base: str, server: respx.MockRouter
) -> None:
    route = server.post(f"{base}/calls/rtc_1/hangup").respond(200)
    async with Rest(url) as rest:
        await rest.calls.hangup("rtc_1")
        assert repr(rest) == f"<Rest {base}>"
    assert route.called
    assert route.calls.last.request.url.query == b""


async def test_times_are_those_of_each_step_of_a_try(server: respx.MockRouter) -> None:
    route = answering(server, "calls.hangup", *[httpx.Response(200)] * 2)
    given: dict[str, Any] = {"timeout": 3, "open_timeout": 2}
    none: dict[str, Any] = {}
    for options, (connect, others) in ((none, (10, 30)), (given, (2, 3))):
        await ask("calls.hangup", **options)
        assert route.calls.last.request.extensions["timeout"] == {
            "connect": connect, "pool": connect, "read": others, "write": others,
        }  # fmt: skip


@pytest.mark.parametrize("host", ["ä_b.example", "-ä-.example"])
def test_a_host_that_cannot_be_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match=f"{host}.*no host"):
        Rest(f"wss://{host}/v1/realtime")


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="/realtime"):
        Rest(Endpoint("wss://rest.example/sockets?key=s3cret"))


async def test_headers_of_the_endpoint_go_along_and_ours_come_first(
    server: respx.MockRouter,
) -> None:
    route = answering(server, "calls.create", REQUESTS["calls.create"][2])
    headers = {"api-key": KEY, "X-Team": "voice", "accept": "text/html", "CONTENT-TYPE": "x/y"}
    await ask("calls.create", Endpoint(ENDPOINT.url, headers=headers))
    sent = route.calls.last.request.headers
    assert (sent["api-key"], sent["x-team"]) == (KEY, "voice")
    assert sent.get_list("accept") == ["application/sdp"]
    assert sent.get_list("content-type") == ["application/sdp"]


async def test_one_serves_many_tasks(server: respx.MockRouter) -> None:
    route = server.post(url__regex=rf"{BASE}/calls/rtc_\d+/hangup").respond(200)
    async with Rest(ENDPOINT) as rest, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(rest.calls.hangup, f"rtc_{number}")
    assert route.call_count == 20


async def test_it_is_entered_once_and_used_inside() -> None:
    rest = Rest(ENDPOINT)
    with pytest.raises(UsageError, match="async with"):
        await rest.calls.hangup("rtc_1")
    async with rest:
        pass
    with pytest.raises(ClientClosed):
        await rest.calls.hangup("rtc_1")
    with pytest.raises(UsageError, match="once"):
        await rest.__aenter__()


def test_without_an_endpoint_it_is_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(MissingCredentials):
        Rest()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert repr(Rest()) == "<Rest https://api.openai.com/v1/realtime>"


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"open_timeout": 0}, {"timeout": "3"}])
def test_times_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Rest(ENDPOINT, **wrong)


# -- refusals ---------------------------------------------------------------------------------


@every_request
async def test_a_refusal_has_the_servers_words(what: str, server: respx.MockRouter) -> None:
    error = {"message": "No such call.", "type": "invalid_request_error", "code": "gone",
             "param": "call_id"}  # fmt: skip
    answer = httpx.Response(404, json={"error": error}, headers={"x-request-id": "req_1"})
    route = answering(server, what, answer)
    with pytest.raises(RequestRefused) as caught:
        await ask(what)
    refused = caught.value
    assert route.call_count == 1
    assert (refused.what, refused.status, refused.request_id) == (what, 404, "req_1")
    assert (refused.message, refused.type) == ("No such call.", "invalid_request_error")
    assert (refused.code, refused.param, refused.name) == ("gone", "call_id", "gone")
    assert (refused.retryable, refused.uncertain, refused.retry_after) == (False, False, None)
    assert str(refused) == (
        f"{what} was refused with HTTP 404: gone: No such call. (param call_id); request req_1"
    )


@pytest.mark.parametrize(
    ("answer", "message", "code", "kind"),
    [
        (httpx.Response(400, json={"error": "bad", "code": "x"}), "bad", "x", None),
        (httpx.Response(400, json={"message": "bad", "type": "y"}), "bad", None, "y"),
        (httpx.Response(400, json={"error": {"message": "bad", "code": 7}}), "bad", None, None),
        (httpx.Response(400, json={"error": {"code": "x"}}), '{"error":{"code":"x"}}', None, None),
        (httpx.Response(400, json=["bad"]), '["bad"]', None, None),
        (httpx.Response(400, json={"error": ""}), '{"error":""}', None, None),
        (httpx.Response(400, text=" <h1>Bad</h1> "), "<h1>Bad</h1>", None, None),
        (httpx.Response(400, text="x" * 900), "x" * 500, None, None),
        (httpx.Response(400, content=b"\xff"), "�", None, None),
        (httpx.Response(400, content=b"[" * 20_000), "[" * 500, None, None),
        (httpx.Response(400), "it gave no reason", None, None),
    ],
)
async def test_a_refusal_in_any_shape(
    answer: httpx.Response, message: str, code: str | None, kind: str | None,
    server: respx.MockRouter,
) -> None:  # fmt: skip
    answering(server, "calls.accept", answer)
    with pytest.raises(RequestRefused) as caught:
        await ask("calls.accept")
    assert (caught.value.message, caught.value.code, caught.value.type) == (message, code, kind)
    assert f"HTTP 400: {caught.value.name or ''}" in str(caught.value)


async def test_azures_name_of_a_request(server: respx.MockRouter) -> None:
    answering(server, "calls.accept", httpx.Response(400, headers={"apim-request-id": "a1"}))
    with pytest.raises(RequestRefused, match="request a1"):
        await ask("calls.accept")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@every_request
async def test_a_redirect_is_not_followed(what: str, status: int, server: respx.MockRouter) -> None:
    elsewhere = server.route(host="evil.example").respond(200)
    location = {"Location": "https://evil.example/v1/realtime"}
    route = answering(server, what, httpx.Response(status, headers=location, text="Moved"))
    with pytest.raises(RequestRefused, match="redirects are not followed") as caught:
        await ask(what)
    assert (caught.value.status, caught.value.retryable) == (status, False)
    assert (route.call_count, elsewhere.called) == (1, False)


# -- tries ------------------------------------------------------------------------------------


UNSENT: list[Any] = [httpx.ConnectError("refused"), httpx.ConnectTimeout(""), httpx.PoolTimeout(""),
          httpx.ProxyError("407")]  # fmt: skip
UNDONE: list[Any] = [httpx.Response(429), httpx.Response(408), httpx.Response(425),
          httpx.Response(503, headers={"Retry-After": "0"})]  # fmt: skip
UNKNOWN: list[Any] = [httpx.ReadTimeout(""), httpx.WriteTimeout(""), httpx.ReadError(""),
           httpx.WriteError(""), httpx.RemoteProtocolError(""), httpx.DecodingError(""),
           httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"),
           httpx.Response(500), httpx.Response(502), httpx.Response(503),
           httpx.Response(504)]  # fmt: skip
FINAL: list[Any] = [refusal(400), refusal(401), refusal(403), refusal(404), refusal(409),
         refusal(429, code="insufficient_quota"),
         refusal(503, type="insufficient_quota")]  # fmt: skip


def named(outcome: Any) -> str:
    return type(outcome).__name__ if isinstance(outcome, Exception) else str(outcome.status_code)


@virtual
@pytest.mark.parametrize("outcome", UNSENT + UNDONE, ids=named)
@every_request
async def test_what_was_not_done_is_tried_again(
    what: str, outcome: Any, server: respx.MockRouter
) -> None:
    route = answering(server, what, outcome, outcome, REQUESTS[what][2])
    await ask(what)
    assert route.call_count == 3


@virtual
@pytest.mark.parametrize("outcome", UNKNOWN, ids=named)
@once_only
async def test_what_may_have_been_done_is_uncertain(
    what: str, outcome: Any, server: respx.MockRouter
) -> None:
    route = answering(server, what, outcome, REQUESTS[what][2])
    start = anyio.current_time()
    with pytest.raises((ConnectionLost, AcknowledgementTimeout, RequestRefused)) as caught:
        await ask(what)
    error: Any = caught.value
    assert route.call_count == 1
    assert anyio.current_time() == start
    assert (error.uncertain, error.retryable) == (True, True)
    assert what in str(error)
    assert hides(error)


@virtual
@pytest.mark.parametrize("outcome", UNKNOWN, ids=named)
@twice
async def test_what_may_be_done_twice_is_tried_again(
    what: str, outcome: Any, server: respx.MockRouter
) -> None:
    route = answering(server, what, outcome, outcome, REQUESTS[what][2])
    await ask(what)
    assert route.call_count == 3


@virtual
@pytest.mark.parametrize("outcome", FINAL, ids=named)
@every_request
async def test_what_was_decided_is_not_asked_again(
    what: str, outcome: Any, server: respx.MockRouter
) -> None:
    route = answering(server, what, outcome, REQUESTS[what][2])
    with pytest.raises(RequestRefused) as caught:
        await ask(what)
    assert route.call_count == 1
    assert (caught.value.retryable, caught.value.uncertain) == (False, False)


@virtual
@pytest.mark.parametrize("gone", [404, 410])
@twice
async def test_a_call_that_is_gone_the_second_time_is_what_was_asked_for(
    what: str, gone: int, server: respx.MockRouter
) -> None:
    answering(server, what, httpx.ReadTimeout(""), refusal(gone))
    assert await ask(what) is None


@virtual
@twice
async def test_gone_means_no_such_call_where_nothing_was_done_before(
    what: str, server: respx.MockRouter
) -> None:
    answering(server, what, httpx.ConnectError(""), refusal(404))
    with pytest.raises(RequestRefused):
        await ask(what)


@virtual
@twice
async def test_another_refusal_the_second_time_is_one(what: str, server: respx.MockRouter) -> None:
    answering(server, what, httpx.ReadTimeout(""), refusal(403))
    with pytest.raises(RequestRefused):
        await ask(what)


@virtual
@twice
async def test_that_the_last_try_never_left_says_nothing_of_the_first(
    what: str, server: respx.MockRouter
) -> None:
    unsent = httpx.ConnectError("")
    answering(server, what, httpx.ReadTimeout(""), unsent, unsent)
    with pytest.raises(AcknowledgementTimeout) as caught:
        await ask(what)
    assert caught.value.uncertain


@virtual
async def test_tries_end_and_the_last_error_is_raised(server: respx.MockRouter) -> None:
    unsent = httpx.ConnectError("refused")
    route = answering(server, "calls.accept", unsent, unsent, unsent, REQUESTS["calls.accept"][2])
    start = anyio.current_time()
    with pytest.raises(
        ConnectFailed, match=r"cannot reach https://rest.example.*refused"
    ) as caught:
        await ask("calls.accept", retry=Retry(tries=3, first=1.0))
    assert route.call_count == 3
    assert 1.5 <= anyio.current_time() - start <= 3.0
    assert caught.value.retryable
    assert hides(caught.value)


@virtual
async def test_without_a_policy_there_is_one_try(server: respx.MockRouter) -> None:
    route = answering(server, "calls.hangup", httpx.ConnectTimeout(""), httpx.Response(200))
    with pytest.raises(ConnectFailed, match="in time"):
        await ask("calls.hangup", retry=None)
    assert route.call_count == 1


@virtual
@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_is_left_alone_as_long_as_it_asks(
    status: int, server: respx.MockRouter
) -> None:
    busy = httpx.Response(status, headers={"Retry-After": "7"})
    answering(server, "calls.accept", busy, busy, httpx.Response(200))
    start = anyio.current_time()
    await ask("calls.accept")
    assert anyio.current_time() - start == pytest.approx(14.0)


@virtual
async def test_a_date_is_read_by_the_servers_clock(server: respx.MockRouter) -> None:
    busy = httpx.Response(
        503,
        headers={"Date": "Sat, 21 Nov 1998 03:00:00 GMT",
                 "Retry-After": "Sat, 21 Nov 1998 03:00:09 GMT"},
    )  # fmt: skip
    answering(server, "calls.accept", busy, httpx.Response(200))
    start = anyio.current_time()
    await ask("calls.accept")
    assert anyio.current_time() - start == pytest.approx(9.0)


@virtual
async def test_a_date_without_the_servers_clock_is_read_by_ours(server: respx.MockRouter) -> None:
    date = formatdate(time.time() + 20, usegmt=True)
    answering(server, "calls.accept", httpx.Response(503, headers={"Retry-After": date}),
              httpx.Response(200))  # fmt: skip
    start = anyio.current_time()
    await ask("calls.accept")
    assert 15 < anyio.current_time() - start <= 20


@virtual
async def test_who_asks_for_too_long_gets_no_second_try(server: respx.MockRouter) -> None:
    busy = httpx.Response(503, headers={"Retry-After": "60"})
    route = answering(server, "calls.accept", busy, httpx.Response(200))
    start = anyio.current_time()
    with pytest.raises(RequestRefused) as caught:
        await ask("calls.accept", retry=Retry(total=60))
    assert (caught.value.retry_after, caught.value.retryable) == (60.0, True)
    assert (route.call_count, anyio.current_time()) == (1, start)


@virtual
async def test_all_tries_together_are_bounded(server: respx.MockRouter) -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    server.post(f"{BASE}/calls/rtc_1/hangup").mock(side_effect=silent)
    start = anyio.current_time()
    with pytest.raises(AcknowledgementTimeout, match=r"calls.hangup") as caught:
        await ask("calls.hangup", retry=Retry(total=20))
    assert caught.value.uncertain
    assert anyio.current_time() - start == pytest.approx(20.0)


@virtual
async def test_who_waits_for_another_try_is_told_that_it_was_left(
    server: respx.MockRouter,
) -> None:
    answering(server, "calls.hangup", httpx.Response(429, headers={"Retry-After": "30"}))
    raised: list[BaseException] = []

    async def hang_up(rest: Rest) -> None:
        with pytest.raises(ClientClosed) as caught:
            await rest.calls.hangup("rtc_1")
        raised.append(caught.value)

    async with anyio.create_task_group() as tasks, Rest(ENDPOINT, ssl=CONTEXT) as rest:
        tasks.start_soon(hang_up, rest)
        await anyio.sleep(1)
    assert len(raised) == 1


@virtual
async def test_who_is_cancelled_is_not_held(server: respx.MockRouter) -> None:
    answering(server, "calls.hangup", httpx.Response(429, headers={"Retry-After": "30"}))
    start = anyio.current_time()
    async with Rest(ENDPOINT) as rest:
        with anyio.move_on_after(5) as scope:
            await rest.calls.hangup("rtc_1")
    assert scope.cancelled_caught
    assert anyio.current_time() - start == pytest.approx(5.0)


# -- credentials ------------------------------------------------------------------------------


@virtual
async def test_a_provider_is_asked_at_every_try(server: respx.MockRouter) -> None:
    keys = iter(["first-key", "second-key"])

    async def provider() -> str:
        return next(keys)

    route = answering(server, "calls.accept", httpx.Response(429), httpx.Response(200))
    await ask("calls.accept", Endpoint(ENDPOINT.url, api_key=provider))
    sent = [call.request.headers["authorization"] for call in route.calls]
    assert sent == ["Bearer first-key", "Bearer second-key"]


async def test_a_provider_that_fails_says_so(server: respx.MockRouter) -> None:
    async def provider() -> str:
        raise OSError(KEY)

    route = answering(server, "calls.accept", httpx.Response(200))
    with pytest.raises(CredentialFailed) as caught:
        await ask("calls.accept", Endpoint(ENDPOINT.url, api_key=provider))
    assert not route.called
    assert hides(caught.value)


@virtual
async def test_a_provider_that_never_answers_is_no_uncertain_request(
    server: respx.MockRouter,
) -> None:
    async def provider() -> str:
        await anyio.sleep_forever()
        raise AssertionError

    route = answering(server, "calls.accept", httpx.Response(200))
    await anyio.sleep(1_000)  # or all times are as far from now as from the beginning
    start = anyio.current_time()
    with pytest.raises(ConnectFailed, match="credential"):
        await ask("calls.accept", Endpoint(ENDPOINT.url, api_key=provider))
    assert not route.called
    assert anyio.current_time() - start == pytest.approx(60.0)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"error": {"message": f"Wrong key: {KEY}.", "code": KEY,
                                            "type": f"is {KEY}", "param": KEY}}),
        httpx.Response(401, json={"error": f"Wrong: Bearer {KEY}"}),
        httpx.Response(401, text=f"<p>{KEY}</p>"),
        httpx.Response(401, text="x" * 490 + KEY),
        httpx.Response(500, text=f"Authorization: Bearer {KEY}"),
    ],
)  # fmt: skip
async def test_a_server_that_repeats_the_key_is_not_quoted_so_far(
    answer: httpx.Response, server: respx.MockRouter
) -> None:
    answering(server, "calls.accept", answer)
    with pytest.raises(RequestRefused) as caught:
        await ask("calls.accept")
    assert hides(caught.value)
    assert KEY[:8] not in str(caught.value)
    assert "*" in str(caught.value)


@pytest.mark.parametrize("header", ["12345678", "Bearer 12345678"])
async def test_a_secret_has_eight_letters(header: str, server: respx.MockRouter) -> None:
    answering(server, "calls.accept", refusal(400, message="not 12345678!"))
    with pytest.raises(RequestRefused, match=r"not \*\*\*!"):
        await ask("calls.accept", Endpoint(ENDPOINT.url, headers={"X-Key": header}))


async def test_a_short_header_is_no_secret(server: respx.MockRouter) -> None:
    answering(server, "calls.accept", refusal(400, message="try 1 of 1"))
    with pytest.raises(RequestRefused, match="try 1 of 1"):
        await ask("calls.accept", Endpoint(ENDPOINT.url, headers={"X-Try": "1"}))


@virtual
@pytest.mark.parametrize("outcome", [*UNSENT, *UNDONE, *UNKNOWN, *FINAL], ids=named)
async def test_nothing_that_is_raised_or_logged_has_the_key(
    outcome: Any, server: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answering(server, "calls.accept", *[outcome] * 3)
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"api-key": KEY}, {"xi-api-key": KEY}):
        answering(server, "calls.accept", *[outcome] * 3)
        with pytest.raises(RealtimeError) as caught:
            await ask("calls.accept", Endpoint(ENDPOINT.url, headers=headers))
        assert hides(caught.value)
        assert caught.value.__context__ is None
    assert KEY not in caplog.text


async def test_what_nobody_expects_does_not_have_the_key_either(
    server: respx.MockRouter,
) -> None:
    answering(server, "calls.accept", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError) as caught:
        await ask("calls.accept", Endpoint(ENDPOINT.url, headers={"api-key": KEY}))
    assert hides(caught.value)


# -- real sockets -------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(
    *answers: bytes | None, hang: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Endpoint, list[bytes]]]:
    """A server that reads a request a connection and answers with these bytes in turn.

    None closes without an answer. With `hang` the connection stays open after the answer.
    """
    requests: list[bytes] = []
    left = list(answers)

    async def handle(socket: anyio.abc.SocketStream) -> None:
        async with socket:
            stream: anyio.abc.ByteStream = socket
            if tls is not None:
                try:
                    stream = await TLSStream.wrap(
                        socket, ssl_context=tls, standard_compatible=False
                    )
                except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
                    return
            requests.append(await read(stream))
            answer = left.pop(0)
            if answer is not None:
                await stream.send(answer)
            if hang:
                await anyio.sleep_forever()

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, handle)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield Endpoint(f"ws://127.0.0.1:{port}/v1/realtime", api_key=KEY), requests
        tasks.cancel_scope.cancel()


async def read(stream: anyio.abc.ByteStream) -> bytes:
    """One request, with its body."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await stream.receive()
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while len(body) < (int(length[1]) if length else 0):
        body += await stream.receive()
    return head + b"\r\n\r\n" + body


def reply(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


QUICK = Retry(first=0.01, total=5)


async def test_over_a_socket() -> None:
    body = b'{"value":"ek_1","expires_at":5,"session":{"type":"realtime"}}'
    async with (
        listening(reply("200 OK", body=body)) as (endpoint, requests),
        Rest(endpoint) as rest,
    ):
        assert (await rest.client_secrets.create(expires_after=60)).value == "ek_1"
    (request,) = requests
    head, _, sent = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/realtime/client_secrets HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}".encode() in head
    assert sent == b'{"expires_after":{"anchor":"created_at","seconds":60}}'


async def test_nobody_listens() -> None:
    async with listening() as (endpoint, _):
        pass
    with pytest.raises(ConnectFailed, match=r"cannot reach http://127\.0\.0\.1") as caught:
        await ask("calls.accept", endpoint, retry=QUICK)
    assert hides(caught.value)


async def test_a_host_that_nobody_can_look_up() -> None:
    with pytest.raises(ConnectFailed, match=r"cannot reach https://a\.\.b") as caught:
        await ask("calls.accept", Endpoint("wss://a..b/v1/realtime", api_key=KEY), retry=None)
    assert hides(caught.value)
    assert caught.value.__context__ is None


async def test_a_connection_that_breaks_before_the_answer() -> None:
    async with listening(None) as (endpoint, requests):
        with pytest.raises(ConnectionLost) as caught:
            await ask("calls.accept", endpoint, retry=QUICK)
    assert len(requests) == 1
    assert caught.value.uncertain
    assert hides(caught.value)


async def test_a_connection_that_breaks_and_is_opened_again() -> None:
    async with listening(None, reply("200 OK")) as (endpoint, requests):
        await ask("calls.hangup", endpoint, retry=QUICK)
    assert len(requests) == 2


async def test_who_waits_for_an_answer_when_it_is_left_is_uncertain() -> None:
    raised: list[ConnectionLost] = []

    async def accept(rest: Rest) -> None:
        with pytest.raises(ConnectionLost) as caught:
            await rest.calls.accept("rtc_1")
        raised.append(caught.value)

    async with (
        listening(None, hang=True) as (endpoint, requests),
        anyio.create_task_group() as tasks,
        Rest(endpoint) as rest,
    ):
        tasks.start_soon(accept, rest)
        with anyio.fail_after(5):
            while not requests:
                await anyio.lowlevel.checkpoint()
    (error,) = raised
    assert error.uncertain
    assert hides(error)


async def test_half_an_answer_is_none() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    async with listening(half) as (endpoint, _):
        with pytest.raises(ConnectionLost) as caught:
            await ask("client_secrets.create", endpoint)
    assert caught.value.uncertain


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
async def test_a_server_that_says_nothing(answer: bytes) -> None:
    async with listening(answer or None, hang=True) as (endpoint, _):
        with anyio.fail_after(5), pytest.raises(AcknowledgementTimeout) as caught:
            await ask("client_secrets.create", endpoint, timeout=0.05)
    assert caught.value.uncertain
    assert hides(caught.value)


async def test_a_redirect_over_a_socket_does_not_take_the_key_along() -> None:
    for header in ("Authorization", "api-key", "xi-api-key"):
        async with listening(reply("200 OK")) as (other, stolen):
            target = other.url.replace("ws:", "http:")
            async with listening(reply("307 Temporary Redirect", f"Location: {target}")) as (
                endpoint,
                asked,
            ):
                with pytest.raises(RequestRefused):
                    await ask("calls.hangup", Endpoint(endpoint.url, headers={header: KEY}))
        assert (len(asked), stolen) == (1, [])


async def test_the_logs_of_the_library_do_not_have_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"value":"ek_very_secret","expires_at":5,"session":null}'
    async with listening(reply("200 OK", body=body)) as (endpoint, _), Rest(endpoint) as rest:
        await rest.client_secrets.create()
    assert "POST" in caplog.text
    assert KEY not in caplog.text
    assert "ek_very_secret" not in caplog.text


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("ws://127.0.0.1", True),
        ("wss://localhost", True),
        # To some other machine without TLS, which 0.0.0.0 looks like to us.
        ("ws://0.0.0.0", True),
        # And to any, where none is wanted.
        ("wss://0.0.0.0", None),
    ],
)
async def test_a_proxy_of_the_environment_is_not_for_everything(
    address: str, proxy: Any, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "0.0.0.0").configure_cert(theirs)
    authority.configure_trust(ours := ssl.create_default_context())
    tls = theirs if address.startswith("wss") else None
    async with listening(reply("200 OK")) as (other, stolen):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            url = other.url.replace("ws:", "http:").removesuffix("/v1/realtime")
            monkeypatch.setenv(name, url)
            monkeypatch.setenv(name.lower(), url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with listening(reply("200 OK"), tls=tls) as (here, asked):
            endpoint = Endpoint(here.url.replace("ws://127.0.0.1", address))
            await ask("calls.hangup", endpoint, proxy=proxy, ssl=ours if tls else None)
    assert (len(asked), stolen) == (1, [])


@pytest.mark.parametrize("by_name", [True, False])
async def test_a_proxy_is_used_for_tls_to_other_machines(
    by_name: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(reply("407 Proxy Authentication Required")) as (there, asked):
        url = there.url.replace("ws://", "http://user:pass-word-1@").removesuffix("/v1/realtime")
        if not by_name:
            for name in ("HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, url)
        with pytest.raises(ConnectFailed, match="proxy") as caught:
            options: dict[str, Any] = {"proxy": url} if by_name else {}
            await ask("calls.hangup", retry=None, **options)
    (request,) = asked
    assert request.startswith(b"CONNECT rest.example:443 ")
    assert KEY.encode() not in request
    assert "pass-word-1" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("options", [{"ssl": CONTEXT}, {"proxy": "http://proxy.example"}])
def test_what_is_for_tls_is_for_tls(options: Any) -> None:
    """A proxy would read the key."""
    with pytest.raises(UsageError, match=rf"{next(iter(options))}= is for TLS"):
        Rest("ws://127.0.0.1:1/v1/realtime", **options)


async def test_a_proxy_that_cannot_be() -> None:
    for url in ("ftp://user:pass-word-1@proxy.example", "socks5://user:pass-word-1@p.example"):
        with pytest.raises(ConnectFailed, match="proxy") as caught:
            await ask("calls.hangup", proxy=url)
        assert "pass-word-1" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("trusted", "host", "passes"),
    [(True, "localhost", True), (False, "localhost", False), (True, "other.example", False)],
)
async def test_tls_is_verified(
    trusted: bool, host: str, passes: bool, authority: trustme.CA
) -> None:
    """By an authority of ones own, where a context says so; an unknown one is refused."""
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), None
    authority.issue_cert(host).configure_cert(theirs)
    if trusted:
        ours = ssl.create_default_context()
        authority.configure_trust(ours)
    async with listening(reply("200 OK"), tls=theirs) as (endpoint, requests):
        url = endpoint.url.replace("ws://127.0.0.1", "wss://localhost")
        if passes:
            await ask("calls.hangup", Endpoint(url, api_key=KEY), ssl=ours)
        else:
            with pytest.raises(CertificateRefused, match="certificate") as caught:
                await ask("calls.hangup", Endpoint(url, api_key=KEY), ssl=ours)
            assert not caught.value.retryable
            assert hides(caught.value)
    assert len(requests) == passes
