"""The SIP example: signed webhooks into its ASGI application, and a simulated call beside it.

REST is mocked; the sideband is a real client on a real socket, at the simulator.
"""

from __future__ import annotations

import contextlib
import hmac
import importlib.util
import json
import logging
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import msgspec
import pytest
import respx

from realtime_client import Endpoint
from realtime_client.events import ResponseCreate
from realtime_client.rest import Rest
from realtime_client.simulator import Refuse, Server, SimulatorPolicy, serve
from tests.scenarios import FAST, says

ROOT = Path(__file__).parents[1]
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + b64encode(KEY).decode()


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("answer", ROOT / "examples" / "sip" / "answer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sip = _load()


def webhook(
    call_id: str = "rtc_1",
    *,
    kind: str = "realtime.call.incoming",
    number: int = 1,
    key: bytes = KEY,
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A request of the server's: its body, and its headers as ASGI has them."""
    data = {"call_id": call_id, "sip_headers": [{"name": "From", "value": "sip:+14155550100@x"}]}
    moment = int(time.time())
    event = {"id": f"evt_{number}", "type": kind, "created_at": moment, "data": data}
    body = json.dumps(event).encode()
    signed = hmac.new(key, f"wh_{number}.{moment}.".encode() + body, "sha256").digest()
    headers = {"webhook-id": f"wh_{number}", "webhook-timestamp": str(moment),
               "webhook-signature": f"v1,{b64encode(signed).decode()}"}  # fmt: skip
    return body, [(name.encode(), value.encode()) for name, value in headers.items()]


class Host:
    """An ASGI server with the example in it, and the server that it answers for."""

    def __init__(self, app: Any, server: Server, rest: respx.MockRouter) -> None:
        self._app = app
        self._base = server.url.replace("ws:", "http:")
        self.server = server
        self.rest = rest
        self.statuses: list[int] = []
        """Of the requests, in the order in which they were answered."""

    def on(self, verb: str, *outcomes: Any, call_id: str = "rtc_1") -> respx.Route:
        return self.rest.post(f"{self._base}/calls/{call_id}/{verb}").mock(side_effect=outcomes)

    async def post(self, body: bytes, headers: Any, *, chunk: int = 1 << 20) -> None:
        """One request, to the end of all that comes of it."""
        parts = [body[begin : begin + chunk] for begin in range(0, len(body), chunk)]
        messages = [
            {"type": "http.request", "body": part, "more_body": number < len(parts)}
            for number, part in enumerate(parts, 1)
        ]

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])

        await self._app({"type": "http", "headers": headers}, receive, send)

    async def greeted(self) -> None:
        """Until the model has been asked to greet on the newest connection."""

        def asked() -> bool:
            sessions = self.server.sessions
            return bool(sessions) and any(
                isinstance(one, ResponseCreate) for one in sessions[-1].received
            )

        await until(asked)

    def say(self, wire_type: str, **fields: Any) -> None:
        """The server says something to the sideband."""
        event = {"type": wire_type, "event_id": f"event_{wire_type}", **fields}
        self.server.connections[-1].say(msgspec.json.encode(event))

    def hang_up(self) -> None:
        """The caller does: the sideband is closed, and there is no such call any more."""
        self.server.policy = SimulatorPolicy(mishaps=(Refuse(404),), mishaps_repeat=True)
        for connection in self.server.connections:
            connection.close(1000)


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not true():
            await anyio.lowlevel.checkpoint()


@contextlib.asynccontextmanager
async def hosted() -> AsyncIterator[Host]:
    """The example, from its start to its end."""
    async with serve(FAST, says("Hello, the bakery.")) as server:
        app = sip.App(Endpoint(server.url, api_key="sk-very-secret"), SECRET)
        started, stopping = anyio.Event(), anyio.Event()
        moments: list[str] = []

        async def receive() -> Any:
            if moments:
                await stopping.wait()
            return {"type": f"lifespan.{'shutdown' if moments else 'startup'}"}

        async def send(message: Any) -> None:
            moments.append(message["type"])
            started.set()

        with respx.mock(assert_all_called=False) as rest:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(app, {"type": "lifespan"}, receive, send)
                await started.wait()
                yield Host(app, server, rest)
                stopping.set()
        assert moments == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_call_from_its_webhook_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sip")
    async with hosted() as host, anyio.create_task_group() as tasks:
        accept = host.on("accept", httpx.Response(200))
        refer = host.on("refer", httpx.Response(200))
        tasks.start_soon(lambda: host.post(*webhook(), chunk=10))
        await host.greeted()
        assert host.statuses == [200]
        assert msgspec.json.decode(accept.calls.last.request.content) == {
            "type": "realtime", **sip.SESSION,
        }  # fmt: skip
        (hello,) = host.server.handshakes
        assert (hello.call_id, hello.model, hello.api_key) == ("rtc_1", None, "sk-very-secret")

        item = {"item_id": "item_1", "content_index": 0, "transcript": "A loaf, please."}
        host.say("conversation.item.input_audio_transcription.completed", **item)
        host.say("input_audio_buffer.dtmf_event_received", event="5")
        await until(lambda: "caller" in caplog.text and "model" in caplog.text)
        assert not refer.called
        host.say("input_audio_buffer.dtmf_event_received", event="0")
        await until(lambda: refer.called)
        assert msgspec.json.decode(refer.calls.last.request.content) == {
            "target_uri": "tel:+14155550123"
        }
        host.hang_up()
    said = [record.message for record in caplog.records if record.name == "sip"]
    assert set(said[:-1]) == {"rtc_1 model: Hello, the bakery.", "rtc_1 caller: A loaf, please."}
    assert said[-1].startswith("rtc_1 is over: ")
    (asked,) = host.server.sessions[0].received  # and no configuration
    assert isinstance(asked, ResponseCreate)
    assert "+14155550100" not in caplog.text


async def test_calls_at_once_and_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip, "LINES", 2)
    async with hosted() as host, anyio.create_task_group() as tasks:
        for number in (1, 2):
            host.on("accept", httpx.Response(200), call_id=f"rtc_{number}")
            tasks.start_soon(host.post, *webhook(f"rtc_{number}", number=number))
        await until(lambda: len(host.server.sessions) == 2)
        await host.greeted()
        reject = host.on("reject", httpx.Response(200), call_id="rtc_3")
        await host.post(*webhook("rtc_3", number=3))
        assert msgspec.json.decode(reject.calls.last.request.content) == {"status_code": 486}
        host.hang_up()
    assert host.statuses == [200, 200, 200]

    async with hosted() as host:  # a line that is free again is one
        for number in range(1, 5):
            host.on("accept", httpx.Response(404), call_id=f"rtc_{number}")
            await host.post(*webhook(f"rtc_{number}", number=number))
    assert host.statuses == [200] * 4


async def test_what_nobody_has_signed_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with hosted() as host:
        await host.post(*webhook(key=b"wrong"))
    assert (host.statuses, len(host.rest.calls), len(host.server.handshakes)) == ([400], 0, 0)
    assert "not taken" in caplog.text
    assert SECRET not in caplog.text


async def test_another_event_is_none_of_ours() -> None:
    async with hosted() as host:
        await host.post(*webhook(kind="batch.completed"))
    assert (host.statuses, len(host.rest.calls), len(host.server.handshakes)) == ([200], 0, 0)


async def test_a_webhook_that_comes_again_is_told_that_all_is_well() -> None:
    request = webhook()
    async with hosted() as host, anyio.create_task_group() as tasks:
        accept = host.on("accept", httpx.Response(200))
        tasks.start_soon(host.post, *request)
        await host.greeted()
        await host.post(*request)
        host.hang_up()
    assert (host.statuses, accept.call_count, len(host.server.sessions)) == ([200, 200], 1, 1)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(httpx.Response(404), 200), (httpx.Response(401), 200), (httpx.Response(500), 503),
     (httpx.ReadTimeout(""), 503)],
)  # fmt: skip
async def test_a_call_that_cannot_be_accepted(outcome: Any, status: int) -> None:
    """It comes again where that is of use, and then it is taken."""
    request = webhook()
    async with hosted() as host, anyio.create_task_group() as tasks:
        host.on("accept", outcome)
        await host.post(*request)
        assert (host.statuses, len(host.server.handshakes)) == ([status], 0)
        host.on("accept", httpx.Response(200))
        tasks.start_soon(host.post, *request)
        await host.greeted()
        assert host.statuses == [status, 200]
        host.hang_up()


async def test_a_call_whose_sideband_is_refused_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sip")
    async with hosted() as host:
        host.server.policy = SimulatorPolicy(api_keys=frozenset({"another"}))
        host.on("accept", httpx.Response(200))
        await host.post(*webhook())
    assert host.statuses == [200]
    assert "rtc_1 is over: " in caplog.text
    assert "sk-very-secret" not in caplog.text


@pytest.mark.parametrize("body", [b"x" * (64 * 1024 + 1), b""])
async def test_a_body_that_is_too_large_or_breaks_off(body: bytes) -> None:
    async with hosted() as host:
        await host.post(body, webhook()[1], chunk=10_000)
    assert host.statuses == [413]


async def test_the_function_alone() -> None:
    """For whoever has a web framework of their own."""
    body, headers = webhook()
    with respx.mock(base_url="https://api.openai.com/v1/realtime") as server:
        server.post("/calls/rtc_1/accept").respond(200)
        async with Rest(Endpoint("wss://api.openai.com/v1/realtime")) as rest:
            options: Any = {"secret": SECRET, "rest": rest, "replays": sip.Replays()}
            status, call = await sip.answer(body, headers, **options)
            assert (status, call.call_id) == (200, "rtc_1")
            assert call.sip_header("From") == "sip:+14155550100@x"
            assert await sip.answer(body, headers, **options) == (200, None)


def test_what_the_asgi_server_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.delenv("OPENAI_WEBHOOK_SECRET", raising=False)
    with pytest.raises(KeyError):
        sip.app()
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)
    assert isinstance(sip.app(), sip.App)
