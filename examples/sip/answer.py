"""A SIP number that is answered by a model: webhook, accept, and a client beside the call.

    OPENAI_API_KEY=... OPENAI_WEBHOOK_SECRET=whsec_... \\
        uvicorn --app-dir examples/sip --factory answer:app --lifespan on

The sound goes from the telephone to the server and back and never comes here. What comes here is
a webhook when somebody calls: it is verified, and the call is accepted with the configuration of
its session. Then a client connects to the call by its id, a sideband, which hears and steers
what happens: it greets, it writes down who says what, and hands the call over to a person when
the caller presses 0. Any ASGI server will do, on asyncio or trio. See `docs/rest.md`.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from realtime_client import Client, Endpoint, OpenAI, events
from realtime_client.errors import RealtimeError, WebhookRefused
from realtime_client.rest import IncomingCall, Replays, Rest, verify

SESSION = {
    "model": "gpt-realtime",
    "instructions": "You answer the telephone of a bakery. Be brief.",
    "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}},
}
GREETING = "Greet the caller, and say that 0 connects with a person."
PERSON = "tel:+14155550123"
LINES = 10  # calls at once; each of them costs money
LARGEST = 64 * 1024  # bytes of a webhook; anybody can send one

Headers = Iterable[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

log = logging.getLogger("sip")


async def answer(
    body: bytes, headers: Headers, *, secret: str, rest: Rest, replays: Replays, busy: bool = False
) -> tuple[int, IncomingCall | None]:
    """The HTTP status for a webhook, and the call that was accepted.

    The server sends a webhook again until it gets a status of success. So that is the answer
    to what is done or never will be; 503 is where another time may be better.
    """
    try:
        webhook = verify(body, headers, secret, replays=replays)
    except WebhookRefused as refused:
        log.warning("not taken: %s", refused)
        return (200 if refused.reason == "repeated" else 400), None
    if not isinstance(webhook, IncomingCall):
        return 200, None
    try:
        if busy:
            await rest.calls.reject(webhook.call_id, status_code=486)
            return 200, None
        await rest.calls.accept(webhook.call_id, SESSION)
    except RealtimeError as error:
        log.warning("%s: %s", webhook.call_id, error)
        replays.forget(webhook.webhook_id)
        return (503 if error.retryable else 200), None
    return 200, webhook


async def attend(call: IncomingCall, *, endpoint: Endpoint, rest: Rest) -> None:
    """Be there until the call is over. A sideband sends no configuration: `accept` did."""
    try:
        async with Client(endpoint=endpoint, call_id=call.call_id) as client:
            frames = client.events()
            await client.response.create(instructions=GREETING)
            async for frame in frames:
                match frame.event:
                    case events.ConversationItemInputAudioTranscriptionCompleted(transcript=words):
                        log.info("%s caller: %s", call.call_id, words)
                    case events.ResponseOutputAudioTranscriptDone(transcript=words):
                        log.info("%s model: %s", call.call_id, words)
                    case events.InputAudioBufferDtmfEventReceived(event="0"):
                        await rest.calls.refer(call.call_id, target_uri=PERSON)
    except RealtimeError as error:
        log.info("%s is over: %s", call.call_id, error)


class App:
    """The two functions above, as an ASGI application."""

    def __init__(self, endpoint: Endpoint, secret: str) -> None:
        self._endpoint = endpoint
        self._secret = secret
        self._rest = Rest(endpoint)
        self._replays = Replays()
        self._calls = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                async with self._rest:
                    for moment in ("startup", "shutdown"):
                        await receive()
                        await send({"type": f"lifespan.{moment}.complete"})
            case "http":
                await self._take(scope, receive, send)

    async def _take(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            await _reply(send, 413)
            return
        self._calls += 1
        try:
            status, call = await answer(
                body,
                scope["headers"],
                secret=self._secret,
                rest=self._rest,
                replays=self._replays,
                busy=self._calls > LINES,
            )
            await _reply(send, status)
            if call is not None:  # the webhook is answered, and the call goes on
                await attend(call, endpoint=self._endpoint, rest=self._rest)
        finally:
            self._calls -= 1


async def _body(receive: Receive) -> bytes | None:
    """The body of a request; None where it is too large, or breaks off."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if message["type"] != "http.request" or len(body) > LARGEST:
            return None
        if not message.get("more_body"):
            return body


async def _reply(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def app() -> App:
    """What the ASGI server serves."""
    logging.basicConfig(level=logging.INFO)
    return App(OpenAI(), os.environ["OPENAI_WEBHOOK_SECRET"])
