"""Keys for minutes: what is asked for, and what comes back, without showing it."""

from __future__ import annotations

import dataclasses
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import respx
from openai.types.realtime import ClientSecretCreateResponse

from realtime_client import Endpoint, OpenAI, events, tool
from realtime_client.errors import InvalidConfig, InvalidTool, UnreadableAnswer, UsageError
from realtime_client.rest import ClientSecret, Rest
from tests.test_rest import CONTEXT

BASE = "https://api.openai.com/v1/realtime"
VALUE = "ek_68af296e8e408191a1120ab6383263c2"
SESSION: dict[str, Any] = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "expires_at": 0,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": {"type": "server_vad", "threshold": 0.5},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
    },
    "include": None,
}
ANSWER: dict[str, Any] = {"value": VALUE, "expires_at": 1_756_310_470, "session": SESSION}


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def rest() -> Rest:
    return Rest(Endpoint("wss://api.openai.com/v1/realtime", api_key="sk-1"), ssl=CONTEXT)


async def create(*args: Any, **options: Any) -> ClientSecret:
    async with rest() as opened:
        return await opened.client_secrets.create(*args, **options)


async def asked(server: respx.MockRouter, *args: Any, **options: Any) -> tuple[str, Any]:
    """Path and body of what goes out."""
    route = server.post(url__startswith=BASE).respond(json=ANSWER)
    await create(*args, **options)
    request = route.calls.last.request
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    return str(request.url).removeprefix(BASE), msgspec.json.decode(request.content)


# -- what goes out ------------------------------------------------------------------------------


async def test_nothing_that_was_not_given_is_sent(server: respx.MockRouter) -> None:
    assert await asked(server) == ("/client_secrets", {})


async def test_a_session_goes_out_with_the_fields_it_has(server: respx.MockRouter) -> None:
    given = {"model": "gpt-realtime", "audio": {"input": {"turn_detection": None}}, "tools": []}
    sent = {"type": "realtime", **given}
    assert await asked(server, given) == ("/client_secrets", {"session": sent})
    struct = events.SessionConfig(
        model="gpt-realtime",
        audio=events.AudioConfig(input=events.AudioInput(turn_detection=None)),
        tools=(),
    )
    assert await asked(server, struct) == ("/client_secrets", {"session": sent})


async def test_an_acknowledged_session_goes_out_without_what_is_the_servers(
    server: respx.MockRouter,
) -> None:
    given = {"id": "sess_1", "object": "realtime.session", "expires_at": 5, "model": "m"}
    _, body = await asked(server, given)
    assert body["session"] == {"type": "realtime", "model": "m"}
    _, body = await asked(server, {"type": "translation", **given})
    assert body["session"] == {"model": "m"}


async def test_an_empty_session_is_a_conversation(server: respx.MockRouter) -> None:
    assert await asked(server, {}) == ("/client_secrets", {"session": {"type": "realtime"}})


async def test_a_transcription_session(server: respx.MockRouter) -> None:
    audio = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}
    sent = {"type": "transcription", "audio": audio}
    assert await asked(server, sent) == ("/client_secrets", {"session": sent})
    struct = msgspec.convert(sent, events.TranscriptionSessionConfig)
    assert await asked(server, struct) == ("/client_secrets", {"session": sent})


async def test_a_translation_session_has_a_door_of_its_own(server: respx.MockRouter) -> None:
    audio = {"input": {"noise_reduction": None}, "output": {"language": "es"}}
    sent = {"model": "gpt-realtime-translate", "audio": audio}
    door = "/translations/client_secrets"
    assert await asked(server, {"type": "translation", **sent}) == (door, {"session": sent})
    struct = msgspec.convert(sent, events.TranslationSessionConfig)
    assert await asked(server, struct) == (door, {"session": sent})


async def test_tools_that_are_functions_go_as_definitions(server: respx.MockRouter) -> None:
    @tool
    async def weather(city: str) -> str:
        """The weather."""
        return city

    _, body = await asked(server, {"tools": [weather]})
    assert body["session"]["tools"][0]["name"] == "weather"
    with pytest.raises(InvalidTool):
        await create({"tools": [print]})


@pytest.mark.parametrize("seconds", [10, 600, 7_200])
async def test_how_long_it_lives(seconds: int, server: respx.MockRouter) -> None:
    _, body = await asked(server, expires_after=seconds)
    assert body == {"expires_after": {"anchor": "created_at", "seconds": seconds}}


@pytest.mark.parametrize("wrong", [9, 7_201, 0, True, 60.5, "600", {"seconds": 600}])
async def test_how_long_it_cannot_live(wrong: Any, server: respx.MockRouter) -> None:
    with pytest.raises(UsageError, match=r"expires_after.*10 to 7,200"):
        await create(expires_after=wrong)
    assert not server.calls


@pytest.mark.parametrize(
    ("session", "said"),
    [
        ({"instruction": "x"}, "instruction"),
        ({"modalities": ["text"]}, "output_modalities"),
        ({"voice": "marin"}, "session.audio.output.voice"),
        ({"audio": {"output": {"speed": 9}}}, "speed"),
        ({"type": "transcription", "model": "m"}, "model"),
        ({"type": "conversation"}, "conversation"),
        ({"type": "translation"}, "needs a model"),
        (events.TranslationSessionConfig(), "needs a model"),
        ({"type": "translation", "model": None}, "needs a model"),
        ({"type": "translation", "model": ""}, "needs a model"),
        ({"type": "translation", "model": "m", "instructions": "x"}, "instructions"),
        ({"type": "translation", "model": "m", "audio": {"output": {"voice": "x"}}}, "voice"),
        ({"type": "translation", "model": "m", "audio": {"output": {"language": 1}}}, "language"),
        ({"type": "translation", "model": object()}, "cannot be a session value"),
    ],
)
async def test_a_session_that_cannot_be(session: Any, said: str, server: respx.MockRouter) -> None:
    with pytest.raises(InvalidConfig, match=said):
        await create(session)
    assert not server.calls


# -- what comes back ----------------------------------------------------------------------------


async def test_a_secret_is_not_shown(
    server: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert ClientSecretCreateResponse.model_validate(ANSWER).value == VALUE
    server.post(f"{BASE}/client_secrets").respond(json=ANSWER)
    secret = await create()
    assert (secret.value, secret.expires_at) == (VALUE, 1_756_310_470)
    assert isinstance(secret.session, events.SessionConfig)
    assert secret.session.instructions == "Be brief."
    assert VALUE not in f"{secret!r} {secret} {caplog.text}"
    assert "expires_at=1756310470" in repr(secret)
    with pytest.raises(dataclasses.FrozenInstanceError):
        secret.value = "other"  # type: ignore[misc]  # on purpose


async def test_it_opens_an_endpoint(server: respx.MockRouter) -> None:
    server.post(f"{BASE}/client_secrets").respond(json=ANSWER)
    async with rest() as opened:

        async def provider() -> str:
            return (await opened.client_secrets.create()).value

        endpoint = OpenAI(api_key=provider)
        assert (await endpoint.connect_headers())["Authorization"] == f"Bearer {VALUE}"


@pytest.mark.parametrize(
    ("session", "kind"),
    [
        ({"type": "transcription", "audio": {}}, events.TranscriptionSessionConfig),
        ({"type": "translation", "model": "m", "id": "s"}, events.TranslationSessionConfig),
        ({"model": "m"}, events.SessionConfig),
        ({"type": "something_new", "secret": VALUE}, type(None)),
        (None, type(None)),
        ("a session", type(None)),
    ],
)
async def test_the_session_of_any_kind(session: Any, kind: type, server: respx.MockRouter) -> None:
    server.post(f"{BASE}/client_secrets").respond(json={**ANSWER, "session": session})
    secret = await create()
    assert type(secret.session) is kind
    assert VALUE not in repr(secret)


async def test_a_secret_without_a_session_is_one(server: respx.MockRouter) -> None:
    answer = {"value": VALUE, "expires_at": 5, "newer": [1]}
    server.post(f"{BASE}/client_secrets").respond(json=answer)
    assert await create() == ClientSecret(VALUE, 5, None)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"\xff", b'{"value":null,"expires_at":1}', b"[" * 20_000,
        b'{"value":"","expires_at":1}', b'{"value":"%b"}' % VALUE.encode(),
        b'{"value":["%b"],"expires_at":1}' % VALUE.encode(),
        b'{"value":"%b","expires_at":"%b"}' % (VALUE.encode(), VALUE.encode()),
        b'{"value":"%b","expires_at":1' % VALUE.encode(),
        b'{"value":"%b","expires_at":1,"session":' % VALUE.encode() + b"[" * 20_000,
    ],
)  # fmt: skip
async def test_an_answer_that_is_none(body: bytes, server: respx.MockRouter) -> None:
    headers = {"x-request-id": "req_9"}
    answer = httpx.Response(200, content=body, headers=headers)
    route = server.post(f"{BASE}/client_secrets").mock(side_effect=[answer])
    with pytest.raises(UnreadableAnswer, match="HTTP 200, but it has no `value`") as caught:
        await create()
    error = caught.value
    assert (error.what, error.status, error.request_id) == ("client_secrets.create", 200, "req_9")
    assert (route.call_count, error.retryable, error.__context__) == (1, False, None)
    assert VALUE not in "".join(traceback.format_exception(error))
