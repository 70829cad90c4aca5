"""A session that translates, over a real socket and in memory, on both loops."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from realtime_client import events
from realtime_client.errors import (
    AcknowledgementTimeout,
    ClientClosed,
    ConfigDrift,
    ConnectionLost,
    ServerError,
    SessionUpdateRejected,
    UsageError,
)
from realtime_client.simulator import sing
from realtime_client.translator import Translator
from tests import wire
from tests.interpreting import (
    FRAME,
    RATE,
    SILENCE,
    Booth,
    everything,
    kinds,
    over_a_socket,
    said,
    sung,
    translated,
    words,
)
from tests.outages import failing
from tests.test_scenarios_config_callers import virtual

DEFAULT_URL = "ws://localhost/v1/realtime/translations?model=gpt-realtime-translate"


# -- from one language into another ---------------------------------------------------------


async def test_what_is_said_comes_out_in_the_other_language() -> None:
    with over_a_socket() as (url, booth):
        async with Translator(
            endpoint=url, language="de", transcription="gpt-realtime-whisper"
        ) as translator:
            assert translator.is_connected
            speech = sing("good morning", 48_000).astype(np.float32) / 2**15
            stereo = np.stack([speech * 1.2, speech * 0.8], axis=1)
            for piece in np.array_split(stereo, 37):
                await translator.send_audio(piece, rate=48_000, channels=2)
            await translator.finish()
            expected = translated("good morning", "de")
            assert await said(translator) == (expected, expected, "good morning")
    (session,) = booth.sessions
    assert session.heard == ["good morning"]
    assert len(session.samples) == len(speech) // 2
    *chunks, tail = session.appended()
    assert set(chunks) == {FRAME}  # "translation consumes 200 ms frames"
    assert 0 < tail < FRAME
    assert booth.urls == ["/v1/realtime/translations?model=gpt-realtime-translate"]
    assert kinds(session)[0] == "session.update"
    assert kinds(session)[-1] == "session.close"
    assert set(kinds(session)[1:-1]) == {"session.input_audio_buffer.append"}


async def test_it_speaks_while_it_hears() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        await translator.send_audio(sung("one"))
        pieces = [await anext(translator.transcript), await anext(translator.transcript)]
        assert "".join(pieces) == translated("one", "de")
        await translator.send_audio(sung("two"))
        await translator.finish()
        both = f"{translated('one', 'de')} {translated('two', 'de')}"
        assert words(b"".join(await everything(translator.audio))) == both
        assert await everything(translator.heard) == []  # no transcription was asked for


async def test_a_chunk_can_have_another_length() -> None:
    booth = Booth()
    async with booth.translator(chunk_ms=100) as translator:
        await translator.send_audio(SILENCE)
        await translator.finish()
    assert booth.sessions[0].appended() == [2_400] * 10


# -- its configuration ------------------------------------------------------------------------


async def test_what_is_not_given_is_not_sent() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        acknowledged = translator.session.acknowledged
        assert isinstance(acknowledged, events.TranslationSessionConfig)
        assert translator.session.id == acknowledged.id == "sess_1"
        assert translator.session.expires_at == 1_800_003_600
    assert booth.sessions[0].received == []
    assert booth.urls == [DEFAULT_URL]


async def test_the_first_update_has_what_was_given_and_no_type() -> None:
    booth = Booth()
    heard = events.TranslationAudioInput(transcription=events.Transcription(model="whisper-1"))
    config = events.TranslationSessionConfig(
        type="translation", model="mine", audio=events.TranslationAudio(input=heard)
    )
    async with booth.translator(session=config, language="fr", noise_reduction=None):
        pass
    (update,) = booth.sessions[0].received
    assert update["session"] == {
        "audio": {
            "input": {"transcription": {"model": "whisper-1"}, "noise_reduction": None},
            "output": {"language": "fr"},
        }
    }
    assert booth.urls == ["ws://localhost/v1/realtime/translations?model=mine"]


async def test_another_language_from_the_acknowledgement_on() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        await translator.send_audio(sung("one"))
        answer = await translator.session.update(language="fr")
        assert answer.changed == ("audio.output.language",)
        assert answer.effective == translator.session.acknowledged
        assert translator.session.in_flight == ()
        assert translator.session.desired["audio"]["output"] == {"language": "fr"}
        await translator.send_audio(sung("two"))
        await translator.finish()
        expected = f"{translated('one', 'de')}{translated('two', 'fr')}"
        assert "".join(await everything(translator.transcript)) == expected
    updates = [one for one in booth.sessions[0].received if one["type"] == "session.update"]
    assert [one["session"] for one in updates] == [
        {"audio": {"output": {"language": "de"}}},
        {"audio": {"output": {"language": "fr"}}},
    ]


async def test_an_update_that_changes_nothing_is_not_sent() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        assert (await translator.session.update(language="de")).changed == ()
        assert (await translator.session.update()).changed == ()
    assert kinds(booth.sessions[0]) == ["session.update"]


async def test_a_leaf_goes_out_whole() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        await translator.session.update(noise_reduction="far_field")
    whole = {"type": "far_field", "strength": 0.4}
    assert booth.sessions[0].received[0]["session"] == {
        "audio": {"input": {"noise_reduction": whole}}
    }


async def test_a_refused_update_leaves_the_language() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        with pytest.raises(SessionUpdateRejected, match="no such language"):
            await translator.session.update(language="xx")
        assert translator.session.desired["audio"]["output"] == {"language": "de"}


@virtual
async def test_a_value_that_the_server_did_not_take_is_shown() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        answer = await translator.session.update(language="??")
        assert [(one.path, one.effective) for one in answer.ignored] == [
            ("audio.output.language", "es")
        ]
        with pytest.raises(ConfigDrift):
            await translator.session.update(language="??", strict=True)


async def test_a_refused_configuration_does_not_open() -> None:
    booth = Booth()
    with pytest.raises(SessionUpdateRejected, match="no such language"):
        async with booth.translator(language="xx"):
            raise AssertionError("it is not open")
    assert booth.lines[0].is_closed


async def test_what_is_newer_than_this_release_can_be_sent_as_it_is() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        happening = translator.events()
        await translator.send({"type": "session.update", "session": {"audio": {"newer": 1}}})
        assert (await anext(happening)).type == "session.updated"
        await translator.send(events.SessionInputAudioBufferAppend(audio=b"\0\0"))
        with pytest.raises(UsageError, match="needs a `type`"):
            await translator.send({})
    assert booth.sessions[0].received[0]["session"] == {"audio": {"newer": 1}}
    assert booth.sessions[0].appended() == [1]


# -- the end ------------------------------------------------------------------------------------


async def test_what_is_still_on_its_way_is_said_before_the_end() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        connections = translator.connections()
        booth.sessions[0].is_mute = True
        await translator.send_audio(sing("one", RATE))
        await translator.finish()
        assert (await said(translator))[:2] == (translated("one", "de"),) * 2
        await translator.finish()  # it is over already
        with pytest.raises(ClientClosed):
            await translator.send_audio(SILENCE)
        assert await everything(connections) == []
    assert len(booth.lines) == 1
    assert kinds(booth.sessions[0]).count("session.close") == 1


async def test_nothing_more_is_heard_while_it_ends() -> None:
    booth = Booth()
    async with booth.translator() as translator, anyio.create_task_group() as tasks:
        booth.sessions[0].closes = False
        tasks.start_soon(translator.finish)
        tasks.start_soon(translator.finish)
        await booth.lines[0].until_sent("session.close")
        with pytest.raises(UsageError, match="nothing more is heard"):
            await translator.send_audio(SILENCE)
        booth.lines[0].say(wire.frame("session.closed"))
    assert kinds(booth.sessions[0]) == ["session.close"]


@virtual
async def test_the_end_is_waited_for_in_bounded_time() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        booth.sessions[0].closes = False
        begun = anyio.current_time()
        with pytest.raises(AcknowledgementTimeout) as caught:
            await translator.finish(timeout=7.0)
        assert anyio.current_time() - begun == pytest.approx(7.0)
        assert caught.value.uncertain
        with pytest.raises(AcknowledgementTimeout) as again:
            await translator.finish(timeout=0.0)
        assert again.value.uncertain
        booth.lines[0].say(wire.frame("session.closed"))
        await translator.finish()  # late, but it is over
    assert kinds(booth.sessions[0]) == ["session.close"]


@virtual
async def test_a_close_that_did_not_go_out_is_not_uncertain() -> None:
    booth = Booth()
    async with booth.translator(close_timeout=1.0) as translator:
        booth.lines[0].holds_writes = anyio.Event()
        await translator.send(events.SessionInputAudioBufferAppend(audio=b"\0\0"))
        await anyio.lowlevel.checkpoint()
        with pytest.raises(AcknowledgementTimeout) as caught:
            await translator.finish(timeout=1.0)
        assert not caught.value.uncertain
        begun = anyio.current_time()
    assert anyio.current_time() - begun < 5.0
    assert kinds(booth.sessions[0]) == []


@pytest.mark.parametrize("seconds", [-1, None, float("nan")])
async def test_a_time_that_is_none_is_refused(seconds: Any) -> None:
    async with Booth().translator() as translator:
        with pytest.raises(UsageError, match="timeout is in seconds"):
            await translator.finish(timeout=seconds)
        await translator.send_audio(SILENCE)  # it goes on


async def test_an_end_that_is_refused_changes_nothing() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        booth.sessions[0].refuses = True
        with pytest.raises(ServerError, match="not now"):
            await translator.finish()
        await translator.send_audio(sung("one"))
        await translator.finish()
        assert (await said(translator))[1] == translated("one", "de")


async def test_a_loss_in_place_of_the_end_is_told() -> None:
    booth = Booth()
    async with booth.translator(reconnect=None, rollover=None) as translator:
        booth.sessions[0].closes = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_lose_at_the_end, booth)
            error = await failing(translator.finish())
        assert isinstance(error, ConnectionLost)
        with pytest.raises(ConnectionLost):
            await anext(translator.audio)


async def _lose_at_the_end(booth: Booth) -> None:
    await booth.lines[0].until_sent("session.close")
    booth.lines[0].drop()


async def test_a_session_that_the_server_ends_by_itself_is_replaced() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        connections = translator.connections()
        booth.lines[0].say(wire.frame("session.closed"))
        booth.lines[0].drop()
        assert [type(await anext(connections)).__name__ for _ in range(2)] == [
            "Disconnected",
            "Reconnected",
        ]
    assert len(booth.lines) == 2


async def test_leaving_ends_every_stream() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        await translator.send_audio(sung("one"))
        await anext(translator.audio)
    assert booth.lines[0].is_closed
    for stream in (translator.audio, translator.transcript, translator.heard):
        await everything(stream)  # without an error
    with pytest.raises(ClientClosed):
        await translator.send_audio(SILENCE)
    with pytest.raises(ClientClosed):
        await translator.finish()
    with pytest.raises(UsageError, match="a Translator is entered once"):
        async with translator:
            raise AssertionError("once")


@virtual
async def test_leaving_is_bounded_after_an_error_too() -> None:
    booth = Booth()
    with pytest.raises(ZeroDivisionError):
        async with booth.translator(close_timeout=1.0) as translator:
            booth.lines[0].holds_writes = anyio.Event()
            await translator.send_audio(np.zeros(RATE, np.int16))
            begun = anyio.current_time()
            raise ZeroDivisionError
    assert anyio.current_time() - begun < 5.0
    assert booth.lines[0].is_closed


async def test_nothing_works_before_it_is_entered() -> None:
    translator = Translator(endpoint="ws://localhost/r")
    with pytest.raises(UsageError, match="async with Translator"):
        await translator.send_audio(SILENCE)
    with pytest.raises(UsageError, match="async with Translator"):
        await translator.finish()
    await translator.aclose()


# -- what is seen of it ----------------------------------------------------------------------


async def test_errors_that_belong_to_no_call_are_told() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        errors = translator.errors()
        booth.lines[0].say(wire.error(None, "overloaded", "a bad day"))
        assert str(await anext(errors)) == "overloaded: a bad day"


async def test_every_frame_can_be_traced() -> None:
    seen: list[tuple[str, str | None]] = []
    booth = Booth()
    async with booth.translator(
        language="de", trace=lambda direction, frame: seen.append((direction, frame.type))
    ):
        pass
    assert seen == [
        ("received", "session.created"),
        ("sent", "session.update"),
        ("received", "session.updated"),
    ]
