"""Modes people ask for: what is said and heard in each, and that the page tells the truth."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pybase64
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as listen_at

from realtime_client import Client, Endpoint, SessionGroup, events, former
from realtime_client.errors import InvalidConfig
from realtime_client.simulator import (
    Server,
    SimulatedSession,
    SimulatorPolicy,
    listen,
    serve,
    sing,
)
from tests import wire
from tests.scenarios import plain
from tests.simulated import silence, spoken

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "modes.py"
PAGE = ROOT / "docs" / "configuration.md"
FAST = SimulatorPolicy(pace="fast")


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("modes", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


modes = _load()


def said(text: str) -> bytes:
    return spoken(text).tobytes()


def heard(audio: bytes) -> str | None:
    return listen(np.frombuffer(audio, np.int16), 24_000).text


def only(server: Server) -> SimulatedSession:
    (session,) = server.sessions
    return session


def input_of(session: SimulatedSession) -> Any:
    return plain(session.settings.session)["audio"]["input"]


def kinds(session: SimulatedSession) -> list[str | None]:
    """What the server received, by wire type, without the audio."""
    found = [plain(event)["type"] for event in session.received]
    return [kind for kind in found if kind != "input_audio_buffer.append"]


# -- what is said and heard -------------------------------------------------------------------


async def test_push_to_talk() -> None:
    async with serve(FAST) as server:
        # The pause would end the turn if there were a VAD.
        speech = np.concatenate([sing("one"), silence(1_000), sing("two")]).tobytes()
        answer = await modes.push_to_talk(Endpoint(server.url), speech)
        assert heard(answer) == "You said: one two"
        session = only(server)
        assert input_of(session)["turn_detection"] is None
        assert [turn.text for turn in session.hearing.heard] == ["one two"]
        assert kinds(session) == [
            "session.update",
            "input_audio_buffer.commit",
            "response.create",
        ]


async def test_speech_in_and_text_out() -> None:
    async with serve(FAST) as server:
        answer = await modes.speech_in_and_text_out(Endpoint(server.url), said("hello"))
        assert answer == "You said: hello"
        session = only(server)
        assert [turn.text for turn in session.hearing.heard] == ["hello"]
        assert kinds(session) == ["session.update"]
        (_, reply) = [entry.item for entry in session.conversation.entries]
        assert isinstance(reply, events.MessageItem)
        assert [part.type for part in reply.content or ()] == ["output_text"]


async def test_text_in_and_speech_out() -> None:
    async with serve(FAST) as server:
        answer = await modes.text_in_and_speech_out(Endpoint(server.url), "hello")
        assert heard(answer) == "You said: hello"
        assert only(server).hearing.heard == []


async def test_no_transcription_at_all_and_the_model_hears_all_the_same() -> None:
    async with serve(FAST) as server:
        answer = await modes.no_transcription_at_all(Endpoint(server.url), said("hello"))
        assert heard(answer) == "You said: hello"
        assert input_of(only(server))["transcription"] is None


@pytest.mark.parametrize(("own", "expected"), [({"transcription": None}, 0), ({}, 1)])
async def test_no_transcription_is_an_order_and_not_a_default(
    own: dict[str, Any], expected: int
) -> None:
    group = SessionGroup(transcription="whisper-1")
    async with serve(FAST) as server, Client(endpoint=server.url, group=group, **own) as client:
        happening, responses = client.events(), client.responses()
        await client.send_audio(said("hello"))
        response = await anext(responses)
        await response.done()
        await client.send_text("everything before this has been heard of")
        kind = "conversation.item.input_audio_transcription.completed"
        assert [frame.type for frame in happening._items].count(kind) == expected
        transcription = input_of(only(server))["transcription"]
        assert (transcription is not None) == bool(expected)


async def test_external_speech_to_text_in_and_speech_out() -> None:
    async with serve(FAST) as server:
        answer = await modes.external_speech_to_text_in_and_speech_out(
            Endpoint(server.url), "what I understood"
        )
        assert heard(answer) == "You said: what I understood"
        session = only(server)
        assert input_of(session)["turn_detection"] is None
        assert input_of(session)["transcription"] is None
        assert kinds(session) == ["session.update", "conversation.item.create", "response.create"]


async def test_tuning_the_vad_while_live() -> None:
    async with serve(FAST) as server:
        # The pause ends a turn at first, and does not when the VAD has become more patient.
        pieces = [silence(500), sing("one"), silence(600), sing("two"), silence(1_200)]
        speech = np.concatenate(pieces).tobytes()
        answer = await modes.tuning_the_vad_while_live(Endpoint(server.url), speech)
        assert heard(answer) == "You said: one two"
        session = only(server)
        assert [turn.text for turn in session.hearing.heard] == ["one", "two", "one two"]
        assert input_of(session)["turn_detection"] == {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 900,
            "idle_timeout_ms": None,
            "create_response": True,
            "interrupt_response": True,
        }
        (update,) = [one for one in session.received if isinstance(one, events.SessionUpdate)]
        sent = plain(update.session)["audio"]["input"]["turn_detection"]
        assert sent["threshold"] == 0.5, "the object goes out whole"


async def test_changing_the_voice_before_the_first_word() -> None:
    async with serve(FAST) as server:
        answer = await modes.changing_the_voice_before_the_first_word(Endpoint(server.url), "hello")
        assert heard(answer) == "You said: hello"
        session = only(server)
        assert plain(session.settings.session)["audio"]["output"]["voice"] == "cedar"
        assert kinds(session) == ["conversation.item.create", "session.update", "response.create"]


async def test_changing_the_voice_after_the_first_word_is_refused_here() -> None:
    async with serve(FAST) as server, Client(endpoint=server.url) as client:
        response = await client.response.create()
        await response.done()
        with pytest.raises(InvalidConfig, match="before the first word"):
            await client.session.update(voice="cedar")
        assert "session.update" not in kinds(only(server))


# -- a transcription session: a small server of our own ---------------------------------------


class Scribe:
    """A server of transcription sessions, for one connection at a time.

    "`?intent=transcription` with no model"; "transcription sessions have no output, no model
    in the URL and no create/interrupt fields".
    """

    def __init__(self) -> None:
        self.path = ""
        self.received: list[dict[str, Any]] = []
        self.session: dict[str, Any] = {
            "type": "transcription",
            "id": "sess_1",
            "object": "realtime.transcription_session",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24_000},
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": {"type": "server_vad", "threshold": 0.5},
                }
            },
        }

    def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.path = connection.request.path
        connection.send(wire.frame("session.created", session=self.session).decode())
        audio = b""
        with contextlib.suppress(ConnectionClosed):
            for raw in connection:
                assert isinstance(raw, str), "text frames only"
                event = wire.read(raw.encode())
                self.received.append(event)
                if event["type"] == "input_audio_buffer.append":
                    audio += pybase64.b64decode(event["audio"])
                for answer in self.answers(event, audio):
                    connection.send(answer.decode())

    def answers(self, event: dict[str, Any], audio: bytes) -> Iterator[bytes]:
        if event["type"] == "session.update":
            self.session["audio"]["input"] |= event["session"]["audio"]["input"]
            yield wire.frame("session.updated", session=self.session)
        elif event["type"] == "input_audio_buffer.commit":
            item = wire.message("item_1", "user", content=[{"type": "input_audio"}])
            yield wire.frame("input_audio_buffer.committed", item_id="item_1")
            yield wire.frame("conversation.item.added", previous_item_id=None, item=item)
            yield wire.frame("conversation.item.done", previous_item_id=None, item=item)
            yield wire.frame(
                "conversation.item.input_audio_transcription.completed",
                item_id="item_1",
                content_index=0,
                transcript=heard(audio),
            )


@contextlib.contextmanager
def scribe() -> Iterator[tuple[Scribe, Endpoint]]:
    """The server in a thread of its own, which serves clients of either loop."""
    one = Scribe()
    with listen_at(one.serve, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        try:
            yield one, Endpoint(f"ws://127.0.0.1:{port}/v1/realtime")
        finally:
            server.shutdown()
            thread.join()


async def test_transcription_only() -> None:
    with scribe() as (server, endpoint):
        words = "Only write this down."
        assert await modes.transcription_only(endpoint, sing(words).tobytes()) == words
        assert server.path == "/v1/realtime?intent=transcription"
        update, *rest = server.received
        assert update["session"] == {
            "type": "transcription",
            "audio": {
                "input": {
                    "transcription": {"model": "gpt-realtime-whisper"},
                    "turn_detection": None,
                }
            },
        }
        assert {event["type"] for event in rest} == {
            "input_audio_buffer.append",
            "input_audio_buffer.commit",
        }


async def test_what_a_transcription_session_has_not_got_is_refused_here() -> None:
    with scribe() as (server, endpoint):
        async with Client(
            endpoint=endpoint, session=events.TranscriptionSessionConfig(), turn_detection=None
        ) as client:
            assert isinstance(client.session.acknowledged, events.TranscriptionSessionConfig)
            with pytest.raises(
                InvalidConfig, match="transcription session has no field instructions"
            ):
                await client.session.update(instructions="Speak.")
            with pytest.raises(InvalidConfig, match="no field instructions"):
                await client.session.update({"type": "transcription"}, instructions="Speak.")
        assert len(server.received) == 1


async def test_shortcuts_alone_change_a_transcription_session() -> None:
    with scribe() as (server, endpoint):
        session = events.TranscriptionSessionConfig()
        async with Client(endpoint=endpoint, session=session) as client:
            await client.session.update(turn_detection=None)
        (update,) = server.received
        assert update["session"]["type"] == "transcription"


# -- the page -----------------------------------------------------------------------------------


def lines_of_the_page() -> dict[str, str]:
    """Each mode's one line of code, by the name of its function."""
    text = PAGE.read_text()
    part = text[text.index("## Modes") : text.index("## Three states")]
    found = re.findall(r"^### (.+?)\n(.*?)```python\n(.+?)\n```", part, re.M | re.S)
    assert len(found) == part.count("\n### ") == part.count("```python")
    return {re.sub(r"\W+", "_", title).lower(): code for title, _, code in found}


def functions_of_the_example() -> dict[str, ast.AsyncFunctionDef]:
    """The functions that take an endpoint: one for each mode."""
    tree = ast.parse(EXAMPLE.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)]
    return {
        one.name: one for one in functions if [arg.arg for arg in one.args.args][:1] == ["endpoint"]
    }


def configuring(node: ast.AST) -> list[str]:
    """The calls that configure, without the `endpoint` that a whole program needs."""
    calls = []
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"Client", "c.session.update"}:
            keywords = [word for word in call.keywords if word.arg != "endpoint"]
            calls.append(ast.unparse(ast.Call(call.func, call.args, keywords)))
    return [call for call in calls if call != "Client()"]


def test_every_mode_is_on_the_page_and_in_the_example_and_the_other_way_round() -> None:
    assert list(lines_of_the_page()) == list(functions_of_the_example())
    assert len(lines_of_the_page()) == 8


@pytest.mark.parametrize("mode", functions_of_the_example())
def test_the_line_on_the_page_is_the_line_of_the_example(mode: str) -> None:
    line = lines_of_the_page()[mode]
    assert "\n" not in line
    assert configuring(ast.parse(line)) == configuring(functions_of_the_example()[mode])


@pytest.mark.parametrize("mode", functions_of_the_example())
def test_every_mode_is_tested_here(mode: str) -> None:
    tests = [name for name in globals() if name.startswith(f"test_{mode}")]
    assert tests


async def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    await modes.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(functions_of_the_example()) - 1
    assert all(
        line.endswith(("You said: Good morning.", "You said: Good evening.")) for line in lines
    )


def rows_of_the_table() -> dict[str, str]:
    """The table of former names: from each to what it is today."""
    text = PAGE.read_text()
    part = text[text.index("## Names from elsewhere") :]
    rows = re.findall(r"^\| (?:format )?`(\w+)` \| (.+) \|$", part, re.M)
    return dict(rows)


def test_every_former_name_is_on_the_page_with_what_it_is_today() -> None:
    today = {**former._FIELDS, **former._FORMATS}
    rows = rows_of_the_table()
    assert set(rows) == set(today)
    for name, words in today.items():
        shown = rows[name].replace("`", "").replace('"', "'")
        # The page says it in its own words; what is code must be the same.
        for code in re.findall(r"\w+=|\w+\.\w+|\{[^}]*\}", words):
            assert code in shown, name


def test_the_page_says_what_becomes_of_the_api_version() -> None:
    assert "`OPENAI_API_VERSION` is not used" in PAGE.read_text().replace("\n", " ")


@pytest.mark.parametrize(
    "word",
    ["acknowledged", "in_flight", "desired", "effective", "changed", "ignored", "strict=True",
     "uncertain", "between_turns", "foreign", "late", "late_rejection", "group.clients"],
)  # fmt: skip
def test_the_page_explains(word: str) -> None:
    assert re.search(rf"`[^`]*\b{re.escape(word)}[^`]*`", PAGE.read_text())
