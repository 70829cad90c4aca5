"""Turns, as the pipeline sees them: no sample is lost between two of them, and none is counted
twice."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_client.audio import InputPipeline, WireFormat
from realtime_client.audio.counts import Account, Commit, least_commit
from realtime_client.audio.resample import exact_length
from realtime_client.errors import InvalidAudio, UsageError

PCM = WireFormat("audio/pcm", 24_000)
ULAW = WireFormat("audio/pcmu", 8_000)
ALAW = WireFormat("audio/pcma", 8_000)
FORMATS = [PCM, WireFormat("audio/pcm", 16_000), ULAW, ALAW]
SILENCE = {"audio/pcm": b"\x00\x00", "audio/pcmu": b"\xff", "audio/pcma": b"\xd5"}


def noise(frames: int) -> Any:
    return np.random.default_rng(frames).integers(-9_000, 9_000, frames).astype(np.int16)


def closes(pipeline: InputPipeline) -> None:
    counts = pipeline.counts
    waiting = counts.appended + counts.held + counts.delayed
    assert counts.due + counts.padded == waiting + counts.dropped
    appended = counts.appended + counts.direct
    gone = counts.committed + counts.cleared + counts.left
    assert appended == gone + counts.uncommitted
    assert all(type(value) is int and value >= 0 for value in dataclasses.astuple(counts))
    assert counts.uncommitted >= 0
    assert counts.turn == counts.uncommitted + counts.held + counts.delayed


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("short", [1, 7, 799])
def test_a_short_turn_is_padded_to_exactly_100_ms(wire: WireFormat, short: int) -> None:
    least = wire.rate // 10
    said = noise(least - short)
    pipeline = InputPipeline(wire)
    assert pipeline.push(said, rate=wire.rate) == []
    commit = pipeline.commit()
    chunk = wire.encode(said) + SILENCE[wire.type] * short
    assert commit == Commit((chunk,), least, short, wire.rate)
    assert (pipeline.counts.padded, pipeline.counts.committed) == (short, least)
    assert pipeline.counts.turn == 0
    pipeline.push(said, rate=wire.rate)
    assert pipeline.commit() == commit
    assert pipeline.counts.padded == 2 * short
    closes(pipeline)


def test_a_single_sample_is_a_turn() -> None:
    pipeline = InputPipeline(ULAW)
    pipeline.push(b"\x7f", rate=8_000, dtype="mulaw")
    assert pipeline.commit() == Commit((b"\x7f" + b"\xff" * 799,), 800, 799, 8_000)


@pytest.mark.parametrize("on_short", ["pad", "error"])
@pytest.mark.parametrize("more", [0, 1, 5_000])
def test_exactly_100_ms_is_enough(on_short: Literal["pad", "error"], more: int) -> None:
    pipeline = InputPipeline(PCM, on_short_commit=on_short)
    said = noise(2_400 + more)
    chunks = pipeline.push(said, rate=24_000)
    commit = pipeline.commit()
    assert (commit.samples, commit.silence) == (2_400 + more, 0)
    assert b"".join([*chunks, *commit.chunks]) == said.tobytes()


@pytest.mark.parametrize("said", [0, 1, 2_399])
def test_a_short_turn_is_refused_when_that_is_asked_and_stays(said: int) -> None:
    pipeline = InputPipeline(PCM, on_short_commit="error")
    first, second = noise(said), noise(2_400)
    pipeline.push(first, rate=24_000)
    before = pipeline.counts
    with pytest.raises(UsageError, match=rf"{said / 24:.4g} ms of audio since the last commit"):
        pipeline.commit()
    assert pipeline.counts == before
    chunks = pipeline.push(second, rate=24_000)
    commit = pipeline.commit()
    assert commit.samples == said + 2_400
    assert b"".join([*chunks, *commit.chunks]) == first.tobytes() + second.tobytes()


@pytest.mark.parametrize("quality", ["HQ", "low_delay"])
def test_the_tail_counts_before_it_is_padded(quality: str) -> None:
    pipeline = InputPipeline(PCM, quality=quality)
    pipeline.push(noise(4_798), rate=48_000)
    commit = pipeline.commit()
    assert (commit.samples, commit.silence) == (2_400, 1)
    assert b"".join(commit.chunks)[-2:] == bytes(2)
    assert sum(map(len, commit.chunks)) + 2 * (pipeline.counts.appended - 2_400) == 4_800


def test_nothing_said_is_not_padded() -> None:
    pipeline = InputPipeline(PCM)
    assert pipeline.commit() == Commit((), 0, 0, 24_000)
    pipeline.push(noise(5_000), rate=24_000)
    pipeline.commit()
    assert pipeline.commit() == Commit((), 0, 0, 24_000)


def test_what_was_appended_before_belongs_to_the_turn() -> None:
    pipeline = InputPipeline(PCM, chunk_ms=20, on_short_commit="error")
    pipeline.push(noise(2_000), rate=24_000)
    assert pipeline.counts.uncommitted == 4 * 480
    with pytest.raises(UsageError):
        pipeline.commit()
    pipeline.on_direct_append(800)
    commit = pipeline.commit()
    assert (commit.samples, commit.silence) == (2_400, 0)
    assert len(b"".join(commit.chunks)) == 2 * 80


def test_a_turn_is_over_when_the_vad_commits_or_the_buffer_is_cleared() -> None:
    pipeline = InputPipeline(PCM, chunk_ms=20)
    pipeline.push(noise(2_410), rate=24_000)
    assert pipeline.on_committed() == 2_400
    assert (pipeline.counts.uncommitted, pipeline.counts.turn) == (0, 10)
    pipeline.push(noise(480), rate=24_000)
    pipeline.clear()
    assert (pipeline.counts.cleared, pipeline.counts.dropped) == (480, 10)
    assert (pipeline.counts.committed, pipeline.counts.turn) == (2_400, 0)
    closes(pipeline)


def test_a_commit_that_was_refused_is_taken_back() -> None:
    pipeline = InputPipeline(PCM)
    pipeline.push(noise(3_000), rate=24_000)
    commit = pipeline.commit()
    pipeline.push(noise(24_00), rate=24_000)
    pipeline.on_refused(commit)
    assert pipeline.counts.uncommitted == 3_000 + 2_400
    assert pipeline.counts.committed == 0


@pytest.mark.parametrize("new_format", FORMATS)
def test_another_format_goes_on_where_the_old_one_was(new_format: WireFormat) -> None:
    old = InputPipeline(PCM, chunk_ms=20, quality="low_delay", on_short_commit="error")
    said = noise(2_000)
    old.push(said, rate=24_000)
    new, chunks = old.in_format(new_format)
    assert new.format == new_format
    assert new.quality == "low_delay"
    appended = 4 * 480 * new_format.rate // 24_000
    assert (new.counts.pushed, new.counts.appended, new.counts.direct) == (2_000, appended, 0)
    assert new.counts.due == appended + exact_length(80, 24_000, new_format.rate)
    assert chunks == []
    assert old.counts.held == 0
    with pytest.raises(UsageError):
        new.commit()
    chunks = new.push(noise(new_format.rate // 50), rate=new_format.rate)
    (chunk,) = chunks
    assert 18 <= new_format.ms(len(chunk)) <= 20  # the first one of `low_delay`
    closes(new)


def test_another_format_begins_with_all_that_is_still_here() -> None:
    old = InputPipeline(PCM, chunk_ms=20)
    said = noise(1_800)  # soxr holds back more than a chunk of it
    chunks = old.push(said, rate=48_000)
    assert old.counts.held + old.counts.delayed > 480
    new, more = old.in_format(WireFormat("audio/pcm", 24_000))
    plain = InputPipeline(PCM, chunk_ms=20)
    expected = plain.push(said, rate=48_000) + plain.flush()
    assert [*chunks, *more, *new.flush()] == expected
    assert (len(chunks), len(more)) == (0, 1)


@pytest.mark.parametrize("new_format", FORMATS)
def test_another_format_goes_on_with_the_account(new_format: WireFormat) -> None:
    old = InputPipeline(PCM, chunk_ms=20)
    old.push(noise(100), rate=24_000)
    old.commit()  # padded
    old.push(noise(5_001), rate=48_000)
    old.clear()
    old.on_direct_append(1_001)
    old.on_committed()
    old.push(noise(2_000), rate=24_000)
    old.on_moved(960)
    old.push(b"\x01", rate=24_000)
    old.push(b"\x01\x02\x03", rate=24_000, dtype="float32")
    before = old.counts
    closes(old)
    new, _ = old.in_format(new_format)
    closes(new)
    assert (new.counts.pushed, new.counts.stray_bytes) == (before.pushed, 1)
    for word in ("due", "appended", "dropped", "padded", "direct", "committed", "cleared", "left"):
        scaled = getattr(before, word) * new_format.rate // 24_000
        assert getattr(before, word) > 0, word
        assert abs(getattr(new.counts, word) - scaled) <= 2, word


@given(
    st.lists(st.integers(0, 5_000), min_size=6, max_size=6),
    st.sampled_from(FORMATS),
    st.sampled_from(FORMATS),
)
def test_the_account_closes_in_every_format(parts: list[int], old: Any, new: Any) -> None:
    """As many were appended as have become of; those around the pipeline are some of them."""
    committed, cleared, left, uncommitted, around, dropped = parts
    settled = committed + cleared + left
    direct = min(around, settled + uncommitted)
    appended = settled + uncommitted - direct
    before = Account(
        old.rate,
        old.bytes_per_sample,
        due=appended + dropped - appended // 3,
        appended=appended,
        padded=appended // 3,
        dropped=dropped,
        direct_bytes=direct * old.bytes_per_sample,
        committed=committed,
        cleared=cleared,
        left=left,
    )
    after = before.at(new.rate, new.bytes_per_sample)

    def scaled(samples: int) -> int:
        return int(samples * new.rate // old.rate)

    assert after.due + after.padded == after.appended + after.dropped
    assert after.uncommitted == scaled(settled + uncommitted) - scaled(settled)
    assert min(dataclasses.astuple(after)) >= 0
    for word in ("due", "appended", "padded", "dropped", "direct", "committed", "cleared", "left"):
        assert abs(getattr(after, word) - scaled(getattr(before, word))) <= 2, word


@pytest.mark.parametrize("rate", [24_000, 48_000])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("cut", [4_000, 4_001, 4_003])
def test_a_frame_that_is_cut_goes_on_in_another_format(rate: int, dtype: str, cut: int) -> None:
    """Stereo, cut anywhere: what is heard is what is heard where it is cut between two frames."""
    sound = np.sin(np.arange(9_600) / 9).reshape(-1, 2) * 9_000
    raw = (sound.astype("<i2") if dtype == "int16" else (sound / 2**15).astype("<f4")).tobytes()
    whole = cut - cut % 8

    def said(first: int) -> bytes:
        pipeline = InputPipeline(PCM, chunk_ms=20)
        pipeline.push(raw[:first], rate=rate, channels=2, dtype=dtype)
        before = pipeline.counts.appended * 8_000 // 24_000
        pipeline, chunks = pipeline.in_format(ULAW)
        chunks += pipeline.push(raw[first:], rate=rate, channels=2, dtype=dtype)
        closes(pipeline)
        chunks += pipeline.flush()
        assert pipeline.counts.stray_bytes == 0
        assert pipeline.counts.pushed == 4_800
        assert pipeline.counts.appended == before + len(b"".join(chunks))
        return b"".join(chunks)

    assert said(cut) == said(whole)


def test_a_frame_that_is_cut_is_not_continued_by_another_source() -> None:
    pipeline = InputPipeline(PCM)
    pipeline.push(b"\x01\x02\x03", rate=48_000)
    pipeline, _ = pipeline.in_format(ULAW)
    pipeline.push(b"\x04\x05", rate=24_000)
    assert (pipeline.counts.stray_bytes, pipeline.counts.pushed) == (1, 2)


def test_a_commit_that_was_refused_is_taken_back_in_the_format_of_now() -> None:
    pipeline = InputPipeline(PCM)
    pipeline.push(noise(6_000), rate=24_000)
    pipeline.commit()
    pipeline.push(noise(4_800), rate=24_000)
    commit = pipeline.commit()
    pipeline, _ = pipeline.in_format(ULAW)
    pipeline.on_refused(commit)
    assert (pipeline.counts.committed, pipeline.counts.uncommitted) == (2_000, 1_600)
    pipeline.on_refused(commit)
    pipeline.on_refused(commit)
    assert pipeline.counts.committed == 0, "and never more than there was"


def test_appends_that_end_inside_a_sample_add_up() -> None:
    pipeline = InputPipeline(PCM)
    for _ in range(100):
        pipeline.on_direct_append(1_601)
    assert pipeline.counts.direct == 80_050


@pytest.mark.parametrize(
    ("direct", "again", "expected"),
    [
        (0, 1_000, (3_000, 1_400, 1_000)),
        (0, 2_400, (3_000, 0, 2_400)),
        (0, 4_000, (1_400, 0, 4_000)),
        (0, 6_000, (0, 0, 6_000)),
        (600, 3_000, (3_000, 0, 3_000)),
    ],
    ids=["some", "all", "what was taken for a turn", "more than was seen", "direct"],
)
def test_what_is_said_again_was_in_no_turn(
    direct: int, again: int, expected: tuple[int, int, int]
) -> None:
    pipeline = InputPipeline(PCM)
    pipeline.push(noise(3_000), rate=24_000)
    pipeline.flush()
    pipeline.on_committed()
    pipeline.push(noise(2_400), rate=24_000)
    pipeline.on_direct_append(2 * direct)
    pipeline.on_moved(again)
    counts = pipeline.counts
    assert (counts.committed, counts.left, counts.uncommitted) == expected
    assert counts.direct == direct + max(0, again - 5_400 - direct)
    closes(pipeline)


def test_the_least_commit_is_no_less_than_100_ms() -> None:
    assert least_commit(24_000) == 2_400
    assert least_commit(8_000) == 800
    assert least_commit(11_025) == 1_103


@pytest.mark.parametrize("choice", ["silence", None, True])
def test_there_are_two_things_to_do_about_a_short_commit(choice: Any) -> None:
    with pytest.raises(InvalidAudio, match="on_short_commit must be pad or error"):
        InputPipeline(PCM, on_short_commit=choice)


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([8_000, 24_000, 44_100, 48_000]), st.integers(1, 6_000)),
        st.tuples(st.just("direct"), st.integers(0, 9_000)),
        st.tuples(st.just("moved"), st.integers(0, 9_000)),
        st.sampled_from(["commit", "refused", "vad", "clear", "flush"]),
    ),
    max_size=15,
)


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from(FORMATS), st.sampled_from(["pad", "error"]), st.booleans())
def test_both_sums_close_after_every_step(
    history: list[Any], wire: WireFormat, on_short: Literal["pad", "error"], low: bool
) -> None:
    pipeline = InputPipeline(
        wire, quality="low_delay" if low else "HQ", on_short_commit=on_short, chunk_ms=20
    )
    server = 0  # its input buffer, in bytes
    commits: list[Commit] = []
    for step in history:
        match step:
            case "commit":
                turn = pipeline.counts.turn
                try:
                    commit = pipeline.commit()
                except UsageError:
                    assert on_short == "error"
                    assert 10 * turn < wire.rate
                    continue
                server += sum(map(len, commit.chunks))
                assert commit.samples * wire.bytes_per_sample == server
                assert commit.samples == 0 or commit.samples >= wire.rate // 10
                assert commit.silence == (commit.samples - turn if turn else 0)
                commits, server = [commit], 0
            case "refused" if commits:
                server += commits[0].samples * wire.bytes_per_sample
                pipeline.on_refused(commits.pop())
            case "vad":
                assert pipeline.on_committed() * wire.bytes_per_sample == server
                commits, server = [], 0
            case "clear":
                pipeline.clear()
                commits, server = [], 0
            case "flush":
                server += sum(map(len, pipeline.flush()))
            case ("direct", int(samples)):
                server += samples * wire.bytes_per_sample
                pipeline.on_direct_append(samples * wire.bytes_per_sample)
            case ("moved", int(samples)):
                server = samples * wire.bytes_per_sample
                pipeline.on_moved(samples)
                commits = []
            case (int(rate), int(frames)):
                server += sum(map(len, pipeline.push(noise(frames), rate=rate)))
        closes(pipeline)
        assert pipeline.counts.uncommitted * wire.bytes_per_sample == server
