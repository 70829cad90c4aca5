"""Calls: what is asked for on the wire, beside what the `openai` package asks for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import httpx
import msgspec
import openai
import pytest
import respx

from realtime_client import Endpoint, events, tool
from realtime_client.errors import InvalidConfig, UnreadableAnswer, UsageError
from realtime_client.rest import CallAnswer, Rest
from tests.test_rest import CONTEXT

BASE = "https://api.openai.com/v1/realtime"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
LOCATION = {"Location": "/v1/realtime/calls/rtc_42"}


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        router.post("/calls").respond(201, text=SDP, headers=LOCATION)
        router.post(url__regex=r"/calls/[^/]+/(accept|reject|refer|hangup)$").respond(200)
        yield router


def rest() -> Rest:
    return Rest(Endpoint("wss://api.openai.com/v1/realtime", api_key="sk-1"), ssl=CONTEXT)


def body(server: respx.MockRouter) -> Any:
    request = server.calls.last.request
    assert request.headers["content-type"] == "application/json"
    return msgspec.json.decode(request.content)


# -- create -------------------------------------------------------------------------------------


async def test_an_offer_alone_is_sdp(server: respx.MockRouter) -> None:
    async with rest() as opened:
        answer = await opened.calls.create(SDP)
    assert answer == CallAnswer("rtc_42", SDP)
    request = server.calls.last.request
    assert request.headers["content-type"] == "application/sdp"
    assert request.headers["accept"] == "application/sdp"
    assert request.content == SDP.encode()


async def test_an_offer_with_a_session_is_a_form(server: respx.MockRouter) -> None:
    async with rest() as opened:
        await opened.calls.create(SDP, {"model": "gpt-realtime"}, voice="marin")
    assert server.calls.last.request.headers["accept"] == "application/sdp"
    parts = form(server.calls.last.request.headers, server.calls.last.request.content)
    assert parts["sdp"] == ("application/sdp", SDP.encode())
    kind, session = parts["session"]
    assert kind == "application/json"
    assert msgspec.json.decode(session) == {
        "type": "realtime",
        "model": "gpt-realtime",
        "audio": {"output": {"voice": "marin"}},
    }


@pytest.mark.parametrize(
    ("location", "call_id"),
    [
        ("/v1/realtime/calls/rtc_1", "rtc_1"),
        ("https://api.openai.com/v1/realtime/calls/rtc_1/?a=b/c", "rtc_1"),
        ("rtc_u1_9c65", "rtc_u1_9c65"),
        ("calls/..rtc/rtc.1~a:b", "rtc.1~a:b"),
    ],
)
async def test_the_id_of_a_call_is_the_end_of_its_location(
    location: str, call_id: str, server: respx.MockRouter
) -> None:
    server.post("/calls").respond(201, text=SDP, headers={"Location": location})
    async with rest() as opened:
        assert (await opened.calls.create(SDP)).call_id == call_id


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.Response(201, text=SDP), "Location"),
        (httpx.Response(201, text=SDP, headers={"Location": "/v1/.."}), "Location"),
        (httpx.Response(201, text=SDP, headers={"Location": "/a b"}), "Location"),
        (httpx.Response(201, headers=LOCATION), "it holds no SDP"),
        (httpx.Response(200, json={"sdp": SDP}, headers=LOCATION), "SDP"),
    ],
)
async def test_an_answer_that_is_none(
    answer: httpx.Response, problem: str, server: respx.MockRouter
) -> None:
    answer.headers["x-request-id"] = "req_1"
    server.post("/calls").mock(side_effect=[answer])
    async with rest() as opened:
        with pytest.raises(UnreadableAnswer, match=problem) as caught:
            await opened.calls.create(SDP, model="m")
    error = caught.value
    assert (error.what, error.status, error.request_id) == (
        "calls.create", answer.status_code, "req_1",
    )  # fmt: skip


async def test_an_answer_in_any_letters_is_one(server: respx.MockRouter) -> None:
    server.post("/calls").respond(201, content=b"v=0\r\ns=\xff", headers=LOCATION)
    async with rest() as opened:
        assert (await opened.calls.create(SDP)).sdp == "v=0\r\ns=\ufffd"


@pytest.mark.parametrize("wrong", ["", " \n", None, b"v=0"])
async def test_an_offer_that_is_none(wrong: Any, server: respx.MockRouter) -> None:
    async with rest() as opened:
        with pytest.raises(UsageError, match="sdp"):
            await opened.calls.create(wrong)
    assert not server.calls


# -- accept -------------------------------------------------------------------------------------


async def test_accepting_configures(server: respx.MockRouter) -> None:
    @tool
    async def book(day: str) -> str:
        """Book a table."""
        return day

    async with rest() as opened:
        await opened.calls.accept(
            "rtc_1",
            model="gpt-realtime",
            instructions="You answer the phone.",
            voice="marin",
            turn_detection="semantic_vad",
            tools=[book],
            tracing=None,
        )
    sent = body(server)
    assert sent.pop("tools")[0]["name"] == "book"
    assert sent == {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "You answer the phone.",
        "audio": {
            "input": {"turn_detection": {"type": "semantic_vad"}},
            "output": {"voice": "marin"},
        },
        "tracing": None,
    }


@pytest.mark.parametrize(
    "session", [None, {}, {"type": "realtime"}, events.SessionConfig()], ids=repr
)
async def test_accepting_with_nothing_is_a_conversation(
    session: Any, server: respx.MockRouter
) -> None:
    async with rest() as opened:
        await opened.calls.accept("rtc_1", session)
    assert body(server) == {"type": "realtime"}


@pytest.mark.parametrize(
    "options",
    [
        {"model": "m"},
        {"session": {"model": "m"}},
        {"session": events.SessionConfig(model="m")},
        {"session": {"model": "m"}, "model": "m"},
    ],
    ids=repr,
)
async def test_the_model_in_any_place(options: Any, server: respx.MockRouter) -> None:
    async with rest() as opened:
        await opened.calls.accept("rtc_1", **options)
    assert body(server) == {"type": "realtime", "model": "m"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"session": {"model": "m"}, "model": "n"}, "twice"),
        ({"session": {"type": "transcription"}}, "transcription"),
        ({"session": {"type": "transcription"}, "model": "m"}, "transcription"),
        ({"session": {"type": "translation", "model": "m"}}, "translation"),
        ({"type": "realtime"}, "type"),
        ({"audio": {}}, "audio"),
        ({"temperature": 0.7}, "temperature"),
        ({"voice": "a", "session": {"audio": {"output": {"voice": "b"}}}}, "twice"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("verb", ["accept", "create"])
async def test_a_session_that_cannot_be(
    verb: str, options: Any, said: str, server: respx.MockRouter
) -> None:
    async with rest() as opened:
        with pytest.raises(InvalidConfig, match=said):
            await getattr(opened.calls, verb)("rtc_1", **options)
    assert not server.calls


@pytest.mark.parametrize("name", ["threshold", "prefix_padding_ms", "silence_duration_ms"])
@pytest.mark.parametrize("kind", [{}, {"type": "server_vad"}], ids=["bare", "typed"])
async def test_a_call_by_sip_does_not_take_the_tuning_of_server_vad(
    name: str, kind: Mapping[str, str], server: respx.MockRouter
) -> None:
    vad = {**kind, name: 1}
    async with rest() as opened:
        with pytest.raises(InvalidConfig, match=f"SIP.*{name}"):
            await opened.calls.accept("rtc_1", turn_detection=vad)
        assert not server.calls
        if kind:
            await opened.calls.create(SDP, turn_detection=vad)  # not by SIP
            assert server.calls


async def test_all_that_is_not_taken_is_named(server: respx.MockRouter) -> None:
    vad = {
        "type": "server_vad",
        "threshold": 0.5,
        "silence_duration_ms": 1,
        "create_response": True,
    }
    async with rest() as opened:
        with pytest.raises(InvalidConfig, match=r"take silence_duration_ms, threshold$"):
            await opened.calls.accept("rtc_1", turn_detection=vad)


@pytest.mark.parametrize(
    "vad",
    [
        None,
        {"type": "server_vad"},
        {"type": "server_vad", "interrupt_response": False, "idle_timeout_ms": 6_000},
        {"type": "semantic_vad", "eagerness": "low"},
        {"type": "of_another_server", "threshold": 0.5},
    ],
)
async def test_what_it_takes(vad: Any, server: respx.MockRouter) -> None:
    async with rest() as opened:
        await opened.calls.accept("rtc_1", turn_detection=vad)
    assert body(server)["audio"]["input"]["turn_detection"] == vad


# -- the others -----------------------------------------------------------------------------------


async def test_rejecting(server: respx.MockRouter) -> None:
    async with rest() as opened:
        await opened.calls.reject("rtc_1")
        assert server.calls.last.request.content == b""
        assert "content-type" not in server.calls.last.request.headers
        assert server.calls.last.request.headers["accept"] == "*/*"
        await opened.calls.reject("rtc_1", status_code=486)
        assert body(server) == {"status_code": 486}


@pytest.mark.parametrize("wrong", [200, 399, 700, 486.5, "486", True])
async def test_a_status_that_turns_nobody_away(wrong: Any, server: respx.MockRouter) -> None:
    async with rest() as opened:
        with pytest.raises(UsageError, match=r"status_code.*400 to 699"):
            await opened.calls.reject("rtc_1", status_code=wrong)
    assert not server.calls


@pytest.mark.parametrize("target", ["tel:+14155550123", "sip:agent@example.com", "SIPS:a@[::1]"])
async def test_referring(target: str, server: respx.MockRouter) -> None:
    async with rest() as opened:
        await opened.calls.refer("rtc_1", target_uri=target)
    assert body(server) == {"target_uri": target}


@pytest.mark.parametrize("wrong", ["", "+14155550123", "tel:", "sip:a b@c", "sip:a\r\nX: y", None])
async def test_a_target_that_is_none(wrong: Any, server: respx.MockRouter) -> None:
    async with rest() as opened:
        with pytest.raises(UsageError, match="target_uri"):
            await opened.calls.refer("rtc_1", target_uri=wrong)
    assert not server.calls


@pytest.mark.parametrize(
    "wrong", ["", ".", "..", "rtc_1/../x", "rtc_1?a", "rtc_1#a", "a b", "rtc_1\n", "ä", None, 5]
)
async def test_an_id_is_one_step_of_a_path(wrong: Any, server: respx.MockRouter) -> None:
    async with rest() as opened:
        for do in (
            opened.calls.hangup(wrong),
            opened.calls.reject(wrong),
            opened.calls.accept(wrong),
            opened.calls.refer(wrong, target_uri="tel:+1"),
        ):
            with pytest.raises(UsageError, match="call_id"):
                await do
    assert not server.calls


# -- beside the openai package -----------------------------------------------------------------


class Asked(NamedTuple):
    method: str
    path: str
    kind: str
    body: Any


def form(headers: Mapping[str, str], content: bytes) -> dict[str, tuple[str, bytes]]:
    """Name, type and content of the parts of a form."""
    found = re.search('boundary="?([^";]+)', headers["content-type"])
    assert found
    parts = {}
    for part in content.split(b"--" + found[1].encode())[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="(\w+)"', head)
        kind = re.search(rb"(?i)content-type: *([\w/]+)", head)
        assert name and kind  # noqa: PT018 - one thing: it is a part
        parts[name[1].decode()] = (kind[1].decode(), value.removesuffix(b"\r\n"))
    return parts


class _Recorder(BaseHTTPRequestHandler):
    asked: list[Asked]

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # Where there is no body, theirs has a type all the same.
        kind = self.headers.get("Content-Type", "").partition(";")[0] if content else ""
        read: Any = content
        if kind == "application/json":
            read = json.loads(content)
        elif kind == "multipart/form-data":
            read = form({"content-type": self.headers["Content-Type"]}, content)
            read["session"] = ("application/json", json.loads(read["session"][1]))
        self.asked.append(Asked(self.command, self.path, kind, read))
        answer = SDP.encode()
        if self.path.endswith("client_secrets"):
            answer = b'{"value":"ek_1","expires_at":1,"session":{"type":"realtime"}}'
        self.send_response(201)
        self.send_header("Content-Type", "application/json" if answer[:1] == b"{" else "text/plain")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Location", "/v1/realtime/calls/rtc_1")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[Asked]]]:
    handler = type("Recorder", (_Recorder,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}/v1", handler.asked  # type: ignore[attr-defined]  # made above
        server.shutdown()
        thread.join()


async def test_the_openai_package_asks_for_the_same(recorder: tuple[str, list[Asked]]) -> None:
    address, asked = recorder
    vad = {"type": "semantic_vad"}
    audio: Any = {"input": {"turn_detection": vad}}
    translation: Any = {"model": "t", "audio": {"output": {"language": "es"}}}
    with openai.OpenAI(base_url=f"http://{address}", api_key="sk-1", max_retries=0) as theirs:
        theirs.realtime.calls.accept("rtc_1", type="realtime", model="m", audio=audio)
        theirs.realtime.calls.create(sdp=SDP, session={"type": "realtime", "model": "m"})
        theirs.realtime.calls.refer("rtc_1", target_uri="tel:+1")
        theirs.realtime.calls.reject("rtc_1", status_code=486)
        theirs.realtime.calls.hangup("rtc_1")
        theirs.realtime.client_secrets.create(
            session={"type": "realtime", "model": "m"},
            expires_after={"anchor": "created_at", "seconds": 60},
        )
        theirs.realtime.translations.client_secrets.create(session=translation)
    expected = asked.copy()
    asked.clear()
    async with Rest(f"ws://{address}/realtime") as ours:
        await ours.calls.accept("rtc_1", model="m", turn_detection=vad)
        await ours.calls.create(SDP, model="m")
        await ours.calls.refer("rtc_1", target_uri="tel:+1")
        await ours.calls.reject("rtc_1", status_code=486)
        await ours.calls.hangup("rtc_1")
        await ours.client_secrets.create({"model": "m"}, expires_after=60)
        await ours.client_secrets.create({"type": "translation", **translation})
    assert asked == expected
    assert len(asked) == 7
