"""A translation outlives its connections: what is heard again, what is said, and what is not."""

from __future__ import annotations

from base64 import b64encode

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from realtime_client import DROP, Reconnect, Rollover, TransportClosed, keep
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConnectFailed,
    ConnectionLost,
    ReconnectFailed,
)
from realtime_client.input import Span
from realtime_client.reconnect import OutageAudio
from realtime_client.simulator import sing
from realtime_client.translator import FLUSH
from tests import wire
from tests.interpreting import (
    FRAME,
    OUTPUT,
    OUTPUT_WORDS,
    RATE,
    SILENCE,
    Booth,
    Interpreter,
    everything,
    said,
    sung,
    translated,
    words,
)
from tests.outages import disconnected, failing, reconnected
from tests.test_scenarios_config_callers import virtual

SOON = Rollover(age=10.0, window=1.0)


def at_once(audio: OutageAudio = keep(5_000)) -> Reconnect:  # noqa: B008 - frozen
    return Reconnect(first=0.0, longest=0.0, audio=audio)


# -- a connection that is lost ----------------------------------------------------------------


async def test_another_connection_has_the_language_that_was_acknowledged_last() -> None:
    booth = Booth()
    async with booth.translator(language="de", reconnect=at_once()) as translator:
        await translator.session.update(language="fr", transcription="whisper-1")
        changes = translator.connections()
        await translator.send_audio(sung("one"))
        assert await anext(translator.transcript)
        booth.lines[0].drop()
        lost, back = await disconnected(changes), await reconnected(changes)
        assert isinstance(lost.error, ConnectionLost)
        assert back.effective == translator.session.acknowledged
        assert (back.restored, back.not_restored) == ((), ())
        await translator.send_audio(sung("two"))
        await translator.finish()
        sound, transcript, heard = await said(translator)
        assert sound == f"{translated('one', 'fr')} {translated('two', 'fr')}"
        assert transcript.endswith(translated("two", "fr"))
        assert heard == "onetwo"
    assert [one.language for one in booth.sessions] == ["fr", "fr"]
    (update,) = (one for one in booth.sessions[1].received if one["type"] == "session.update")
    assert update["session"]["audio"]["output"] == {"language": "fr"}


async def test_what_was_heard_and_not_translated_is_heard_again() -> None:
    booth = Booth()
    async with booth.translator(language="de", reconnect=at_once()) as translator:
        changes = translator.connections()
        await translator.send_audio(sung("one"))
        assert await anext(translator.transcript)
        booth.sessions[0].is_mute = True
        await translator.send_audio(sung("two"))
        first = len(sung("one")) + len(sung("two"))
        first -= first % FRAME
        await booth.lines[0].until_heard(first)
        booth.lines[0].drop()
        back = await reconnected(changes)
        # The server had come to the end of "one", in whole frames of 200 ms.
        come = -(-len(sing("one", RATE)) // FRAME) * FRAME
        assert back.replayed == Span(come, first)
        assert back.dropped == Span(come, come)
        await translator.finish()
        sound, _, _ = await said(translator)
        assert sound == f"{translated('one', 'de')} {translated('two', 'de')}"
    both = np.concatenate([sung("one"), sung("two")])
    assert np.array_equal(booth.sessions[1].samples, both[come:])
    assert booth.sessions[1].heard == ["two"]


async def test_a_server_that_does_not_say_how_far_it_has_come_is_believed_to_follow() -> None:
    def vague() -> Interpreter:
        session = Interpreter()
        session.says_when = False
        return session

    booth = Booth(vague)
    async with booth.translator(language="de", reconnect=at_once()) as translator:
        changes = translator.connections()
        await translator.send_audio(np.concatenate([sung("one"), np.tile(SILENCE, 2)]))
        sent = (len(sung("one")) + 2 * RATE) // FRAME * FRAME
        await booth.lines[0].until_heard(sent)
        happening = translator.events()
        booth.lines[0].say(wire.frame(OUTPUT_WORDS, delta="...", elapsed_ms=None))
        while (await anext(happening)).raw != wire.frame(
            OUTPUT_WORDS, delta="...", elapsed_ms=None
        ):
            pass
        booth.lines[0].drop()
        back = await reconnected(changes)
        assert back.replayed == Span(sent - RATE, sent)  # a second, for what was on its way
        await translator.finish()
        assert (await said(translator))[0] == translated("one", "de")


@pytest.mark.parametrize(("audio", "kept"), [(DROP, 0), (keep(400), 2 * FRAME)])
async def test_what_is_said_in_an_outage_is_kept_or_reported(audio: OutageAudio, kept: int) -> None:
    booth = Booth()
    async with booth.translator(reconnect=at_once(audio), rollover=None) as translator:
        changes = translator.connections()
        await translator.send_audio(SILENCE)
        await booth.lines[0].until_heard(RATE)
        booth.gate = anyio.Event()
        booth.lines[0].drop()
        await disconnected(changes)
        assert not translator.is_connected
        await translator.send_audio(np.tile(SILENCE, 2))
        booth.gate.set()
        back = await reconnected(changes)
        assert back.replayed == Span(3 * RATE - kept, 3 * RATE)
        assert back.dropped == Span(0, 3 * RATE - kept)
        await translator.finish()
    assert len(booth.sessions[1].samples) == kept


async def test_the_end_is_asked_for_again_where_the_connection_was_lost() -> None:
    booth = Booth()
    async with booth.translator(language="de", reconnect=at_once()) as translator:
        booth.sessions[0].is_mute, booth.sessions[0].closes = True, False
        await translator.send_audio(sung("one"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(translator.finish)
            await booth.lines[0].until_sent("session.close")
            booth.lines[0].drop()
        assert (await said(translator))[0] == translated("one", "de")
    assert booth.sessions[1].heard == ["one"]
    assert np.array_equal(booth.sessions[0].samples, booth.sessions[1].samples)


async def test_the_end_waits_for_a_connection() -> None:
    booth = Booth()
    async with booth.translator(language="de", reconnect=at_once()) as translator:
        changes = translator.connections()
        booth.gate = anyio.Event()
        booth.lines[0].drop()
        await disconnected(changes)
        await translator.send_audio(sung("one"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(translator.finish)
            await anyio.lowlevel.checkpoint()
            booth.gate.set()
        assert (await said(translator))[0] == translated("one", "de")


@pytest.mark.parametrize("said_before", [(), (3, 3), (3,), (2, 3)])
async def test_a_sample_that_was_cut_in_two_is_no_noise(said_before: tuple[int, ...]) -> None:
    booth = Booth()
    async with booth.translator(language="de", reconnect=at_once()) as translator:
        changes = translator.connections()
        deltas = [b64encode(b"\1" * size).decode() for size in said_before]
        booth.lines[0].say(*(wire.frame(OUTPUT, delta=delta) for delta in deltas))
        for size in said_before:
            assert await anext(translator.audio) == b"\1" * size
        booth.lines[0].drop()
        await reconnected(changes)
        await translator.send_audio(sung("one"))
        await translator.finish()
        sound = b"".join(await everything(translator.audio))
        rest = b"\0" * (sum(said_before) % 2)
        assert sound.startswith(rest)
        assert words(sound[len(rest) :]) == translated("one", "de")
    assert (sum(said_before) + len(sound)) % 2 == 0


@virtual
async def test_the_end_is_bounded_in_an_outage_too() -> None:
    booth = Booth()
    async with booth.translator(reconnect=at_once()) as translator:
        changes = translator.connections()
        booth.gate = anyio.Event()
        booth.lines[0].drop()
        await disconnected(changes)
        begun = anyio.current_time()
        with pytest.raises(AcknowledgementTimeout) as caught:
            await translator.finish(timeout=3.0)
        assert anyio.current_time() - begun == pytest.approx(3.0)
        assert not caught.value.uncertain


@virtual
async def test_where_no_other_can_be_had_everything_ends_with_that() -> None:
    booth = Booth()
    tries = Reconnect(tries=2, first=0.1)
    async with booth.translator(reconnect=tries) as translator:
        booth.refuses = [ConnectFailed("no"), ConnectFailed("no")]
        booth.lines[0].drop()
        with pytest.raises(ReconnectFailed):
            await translator.ready()
            await anext(translator.audio)
        assert isinstance(await failing(translator.finish()), ReconnectFailed)
        with pytest.raises(ReconnectFailed):
            await translator.send_audio(SILENCE)
    assert len(booth.urls) == 3


# -- a connection that is replaced in time ------------------------------------------------------


@virtual
@pytest.mark.parametrize("reconnect", [None, at_once()], ids=["alone", "reconnect"])
async def test_nothing_is_lost_or_said_twice_when_a_connection_is_replaced(
    reconnect: Reconnect | None,
) -> None:
    booth = Booth()
    async with booth.translator(language="de", rollover=SOON, reconnect=reconnect) as translator:
        changes = translator.connections()
        old = booth.sessions[0]
        old.is_mute, old.closes = True, False  # it takes its time
        await translator.send_audio(np.concatenate([sung("one"), sung("two")]))
        await booth.lines[0].until_sent("session.close", seconds=20.0)
        assert translator.is_connected
        await translator.send_audio(sung("three"))
        await anyio.sleep(1.0)
        assert old.heard == []  # it says nothing yet, and was not sent what came later
        booth.lines[0].say(*old.translate(), wire.frame("session.closed"), TransportClosed(1000))
        back = await reconnected(changes)
        assert back.planned
        assert back.effective == translator.session.acknowledged
        assert back.dropped.start == back.dropped.stop == back.replayed.start
        await translator.send_audio(sung("four"))
        await translator.finish()
        sound, _, _ = await said(translator)
        assert sound == " ".join(translated(one, "de") for one in ("one", "two", "three", "four"))
    assert [one.heard for one in booth.sessions] == [["one", "two"], ["three", "four"]]
    sent = np.concatenate([one.samples for one in booth.sessions])
    assert np.array_equal(sent, np.concatenate([sung(one) for one in WORDS]))
    assert back.replayed.start == len(old.samples)
    assert [type(one) for one in booth.sessions] == [Interpreter] * 2


WORDS = ("one", "two", "three", "four")


@virtual
async def test_a_connection_that_does_not_say_its_last_is_replaced_all_the_same() -> None:
    booth = Booth()
    async with booth.translator(language="de", rollover=SOON) as translator:
        changes = translator.connections()
        old = booth.sessions[0]
        old.is_mute, old.closes = True, False
        await translator.send_audio(sung("one"))
        await booth.lines[0].until_sent("session.close", seconds=20.0)
        begun = anyio.current_time()
        assert (await reconnected(changes)).planned
        assert anyio.current_time() - begun == pytest.approx(FLUSH, abs=0.5)
        await translator.finish()
        assert (await said(translator))[0] == translated("one", "de")  # it was heard again


@virtual
async def test_the_end_comes_after_a_change_that_has_begun() -> None:
    booth = Booth()
    async with booth.translator(language="de", rollover=SOON) as translator:
        old = booth.sessions[0]
        old.is_mute, old.closes = True, False
        await translator.send_audio(sung("one"))
        await booth.lines[0].until_sent("session.close", seconds=20.0)
        await translator.send_audio(sung("two"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(translator.finish)
            await anyio.sleep(1.0)
            booth.lines[0].say(
                *old.translate(), wire.frame("session.closed"), TransportClosed(1000)
            )
        both = f"{translated('one', 'de')} {translated('two', 'de')}"
        assert (await said(translator))[0] == both
    assert [one.heard for one in booth.sessions] == [["one"], ["two"]]


@virtual
async def test_a_change_that_comes_while_it_ends_does_not_disturb_the_end() -> None:
    booth = Booth()
    async with booth.translator(language="de", rollover=SOON) as translator:
        old = booth.sessions[0]
        old.is_mute, old.closes = True, False
        await translator.send_audio(sung("one"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(translator.finish)
            with anyio.fail_after(20.0):
                await booth.bell.wait()  # the next one is at hand
            await anyio.sleep(5.0)
            booth.lines[0].say(*old.translate(), wire.frame("session.closed"))
        assert (await said(translator))[0] == translated("one", "de")
        await anyio.sleep(5.0)
        assert [line.is_closed for line in booth.lines] == [False, False]  # nothing is replaced
    assert [one.heard for one in booth.sessions] == [["one"], []]
    assert all(line.is_closed for line in booth.lines)


@virtual
async def test_a_connection_that_is_lost_while_a_change_waits_for_the_end() -> None:
    booth = Booth()
    async with booth.translator(language="de", rollover=SOON) as translator:
        old = booth.sessions[0]
        old.is_mute, old.closes = True, False
        await translator.send_audio(sung("one"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(translator.finish)
            with anyio.fail_after(20.0):
                await booth.bell.wait()
            await anyio.sleep(5.0)
            begun = anyio.current_time()
            booth.lines[0].drop()
        assert anyio.current_time() - begun < 1.0
        assert (await said(translator))[0] == translated("one", "de")
    assert [one.heard for one in booth.sessions] == [[], ["one"]]


@virtual
async def test_leaving_while_a_connection_is_being_replaced() -> None:
    booth = Booth()
    async with booth.translator(rollover=SOON, close_timeout=1.0) as translator:
        booth.sessions[0].closes = False
        await translator.send_audio(SILENCE)
        await booth.lines[0].until_sent("session.close", seconds=20.0)
        begun = anyio.current_time()
    assert anyio.current_time() - begun < 5.0
    assert all(line.is_closed for line in booth.lines)
    await everything(translator.audio)
