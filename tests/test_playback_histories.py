"""What was really heard, in any history: the truth is a player that knows every sample."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import msgspec
import pybase64
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime_client import events
from realtime_client.audio import WireFormat
from realtime_client.playback import Cut, PlaybackLedger
from realtime_client.playback.content import layout_of
from realtime_client.playback.line import TICKS
from realtime_client.simulator import Say, listen
from tests.simulated import Frame, Sim

PCM = events.AudioFormat(type="audio/pcm", rate=24_000)
PCM_16K = events.AudioFormat(type="audio/pcm", rate=16_000)
ULAW = events.AudioFormat(type="audio/pcmu")


def ends(truncations: list[Cut]) -> list[tuple[str, int, int]]:
    return [(cut.item_id, cut.content_index, cut.audio_end_ms) for cut in truncations]


@dataclass
class Player:
    """The truth, byte by byte of 8 kHz G.711: which part each byte of the line belongs to."""

    received: dict[tuple[str, int], int] = field(default_factory=dict)
    handed: dict[tuple[str, int], int] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    line: list[tuple[str, int]] = field(default_factory=list)
    at: int = 0  # the playhead of the device
    reported: int = 0

    def heard(self, key: tuple[str, int], until: int) -> int:
        return self.line[:until].count(key)


KEYS = st.tuples(st.sampled_from("abc"), st.integers(0, 1))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), KEYS, st.integers(1, 60)),
        st.tuples(st.just("hand"), KEYS, st.integers(1, 60)),
        st.tuples(st.just("play"), st.integers(0, 60)),
        st.tuples(st.just("report")),
        st.tuples(st.just("finish"), st.sampled_from("abc")),
        st.tuples(st.just("interrupt")),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(steps=STEPS, reports=st.booleans())
@example(
    steps=[("audio", ("a", 0), 20), ("hand", ("a", 0), 20), ("play", 9), ("interrupt",)],
    reports=False,
)
def test_any_history(steps: list[tuple[object, ...]], reports: bool) -> None:
    ledger, player = PlaybackLedger(), Player()
    now, generation = 0.0, 0
    if reports:
        ledger.played(0)
    for step in steps:
        match step:
            case ("audio", (str(name), int(part)), int(count)):
                key = (f"{name}{generation}", part)
                if key[0] in player.finished:
                    continue
                assert ledger.on_audio(*key, count, ULAW)
                player.received[key] = player.received.get(key, 0) + count
            case ("hand", (str(name), int(part)), int(count)):
                key = (f"{name}{generation}", part)
                before = player.handed.get(key, 0)
                after = min(player.received.get(key, 0), before + count)
                ledger.on_handed(*key, count, now)
                player.handed[key] = after
                player.line += [key] * (after - before)
            case ("play", int(count)):
                now += count / 8000
                player.at = min(len(player.line), player.at + count)
            case ("report",):
                if reports:
                    ledger.played(player.at / 8)
                    player.reported = player.at
            case ("finish", str(name)):
                if any(key[0] == f"{name}{generation}" for key in player.received):
                    player.finished.add(f"{name}{generation}")
                ledger.on_finished(f"{name}{generation}", now)
            case _:
                _check_interruption(ledger, player, now, player.reported if reports else player.at)
                # What was thrown away is out of the line, and the device counts on.
                if reports:
                    ledger.count_from(player.at / 8)
                    player.reported = player.at
                player.line = player.line[: player.at]
                player.received, player.handed, player.finished = {}, {}, set()
                generation += 1
        _check_counts(ledger, player, now, player.reported if reports else player.at)


def _check_counts(ledger: PlaybackLedger, player: Player, now: float, until: int) -> None:
    for key, received in player.received.items():
        heard, handed = player.heard(key, until), player.handed.get(key, 0)
        found = ledger.heard(*key, now)
        if found is None:
            assert key[0] in player.finished
            assert received - heard < 8
        else:
            assert (found.received_ms, found.handed_ms) == (received // 8, handed // 8)
            assert found.played_ms == heard // 8
            assert 0 <= found.played_ms <= found.handed_ms <= found.received_ms
    assert ledger.is_playing(now) == (len(player.line) - until >= 8)


def _check_interruption(ledger: PlaybackLedger, player: Player, now: float, until: int) -> None:
    expected = []
    for item_id in dict.fromkeys(item_id for item_id, _ in player.received):
        for part in (0, 1):
            received = player.received.get((item_id, part), 0)
            heard = player.heard((item_id, part), until)
            unread = received - player.handed.get((item_id, part), 0)
            over = item_id in player.finished and not unread and received - heard < 8
            if received and not over:
                expected.append((item_id, part, heard // 8))
    assert ends(ledger.interrupt(now)) == expected
    assert ledger.interrupt(now) == []
    for item_id, part, _ in expected:
        assert not ledger.on_audio(item_id, part, 1, ULAW)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([PCM, PCM_16K, ULAW]), st.integers(1, 99_999)), min_size=1),
    st.lists(st.integers(0, 1_000_000), max_size=20),
)
def test_the_sum_over_all_messages_is_where_the_player_is(
    messages: list[tuple[events.AudioFormat, int]], reports: list[int]
) -> None:
    """Messages of several formats behind each other, cut anywhere; reports in µs."""
    ledger = PlaybackLedger()
    for index, (audio_format, nbytes) in enumerate(messages):
        ledger.on_audio(str(index), 0, nbytes, audio_format)
        ledger.on_handed(str(index), 0, nbytes, 0.0)
    line = ledger._line
    furthest = 0
    for report in reports:
        ledger.played(report / 1000)
        furthest = min(line.end, max(furthest, report * TICKS // 1_000_000))
        items = ledger._items.values()
        ticks = [item.contents[0].played(line.playhead(0.0)) for item in items]
        assert abs(sum(ticks) - furthest) <= 1
        # In order: what comes after an unfinished one was not begun.
        begun = [n for n, item in zip(ticks, items, strict=True) if n < item.contents[0].length]
        assert not any(begun[1:])


# -- a player that is simulated sample by sample -------------------------------------------


@pytest.mark.parametrize("audio_format", [PCM, PCM_16K, ULAW])
def test_cut_within_one_chunk_of_the_true_position_at_1000_instants(
    audio_format: events.AudioFormat,
) -> None:
    """The truth is the player's own: which sample it was at. It reports after each chunk."""
    layout = layout_of(audio_format)
    chance = random.Random(7)
    chunk = layout.rate // 50  # 20 ms
    for _ in range(1000):
        lengths = [chance.randrange(1, 3 * layout.rate) for _ in range(3)]
        ledger = PlaybackLedger()
        ledger.played(0)
        for index, samples in enumerate(lengths):
            left = samples * layout.width
            while left:  # cut anywhere, between the bytes of a sample too
                size = min(left, chance.randrange(1, 20_000))
                ledger.on_audio(str(index), 0, size, audio_format)
                ledger.on_handed(str(index), 0, size, 0.0)
                left -= size
            ledger.on_finished(str(index), 0.0)
        instant = chance.randrange(sum(lengths))
        for reported in range(0, instant + 1, chunk):
            ledger.played(1000 * reported / layout.rate)
        cut = {one.item_id: one.audio_end_ms for one in ledger.interrupt(0.0)}
        for index, samples in enumerate(lengths):
            true = max(0, min(samples, instant - sum(lengths[:index])))
            told = cut.get(str(index), samples * 1000 // layout.rate)
            assert true * 1000 / layout.rate - 21 <= told <= true * 1000 / layout.rate


# -- with the simulator at the other end ---------------------------------------------------


SAID = ("This is the first message of two.", "And this is the second one, which is longer.")
WIRE = {
    "audio/pcm": (PCM, WireFormat("audio/pcm", 24_000)),
    "audio/pcmu": (ULAW, WireFormat("audio/pcmu", 8_000)),
}


@dataclass
class Client:
    """What a client does with the events of the simulator, and a player of 20 ms chunks."""

    sim: Sim
    audio_format: events.AudioFormat
    ledger: PlaybackLedger
    unplayed: float = 0.0
    played: float = 0.0
    cancelled: bool = False
    cuts: dict[str, Cut] = field(default_factory=dict)

    def see(self, frames: list[Frame]) -> None:
        for frame in frames:
            at = (frame.get("item_id", ""), frame.get("content_index", 0))
            kind = frame["type"]
            assert kind != "error", frame
            if kind == "response.output_audio.delta" and self.cancelled:
                late = self.ledger.on_late(*at)
                self.send([late] if late else [])
            elif kind == "response.output_audio.delta":
                nbytes = len(pybase64.b64decode(frame["delta"]))
                assert self.ledger.on_audio(*at, nbytes, self.audio_format)
                self.ledger.on_handed(*at, nbytes, 0.0)
                self.unplayed += layout_of(self.audio_format).ticks(nbytes) * 1000 / TICKS
            elif kind == "response.output_audio_transcript.delta" and not self.cancelled:
                self.ledger.on_words(*at, frame["delta"])
            elif kind == "response.output_audio_transcript.done":
                self.ledger.on_transcript(*at, frame["transcript"])
            elif kind == "response.output_item.done":
                whole = frame["item"]["status"] == "completed"
                self.ledger.on_finished(frame["item"]["id"], 0.0, is_whole=whole)

    def play(self, ms: float) -> None:
        chunk = min(ms, self.unplayed)
        self.unplayed -= chunk
        self.played += chunk
        self.ledger.played(self.played)

    def send(self, cuts: list[Cut]) -> None:
        for cut in cuts:
            self.cuts[cut.item_id] = cut
            command = {
                "item_id": cut.item_id,
                "content_index": cut.content_index,
                "audio_end_ms": cut.audio_end_ms,
            }
            self.see(self.sim.send("conversation.item.truncate", **command))


@pytest.mark.parametrize("wire", WIRE)
def test_the_server_keeps_what_was_heard_and_the_words_are_those_that_it_says(wire: str) -> None:
    """At any instant: no truncation is refused, and none of the words was cut off."""
    audio_format, decoder = WIRE[wire]
    chance = random.Random(11)
    told = 0
    for _ in range(25):
        sim = Sim(lambda question: tuple(Say(text) for text in SAID), deltas_after_cancel=3)
        sim.update(audio={"output": {"format": msgspec.to_builtins(audio_format)}})
        client = Client(sim, audio_format, PlaybackLedger())
        client.ledger.played(0)
        client.see(sim.respond())
        for _ in range(chance.randrange(1, 250)):
            client.see(sim.run(0.02))
            client.play(20)
        cuts = client.ledger.interrupt(0.0)
        client.cancelled = True
        late = sim.send("response.cancel")
        client.send(cuts)
        client.see([frame for frame in late if frame["type"] != "error"])  # it may have ended
        _check_server(client, decoder)
        told += any(cut.transcript for cut in client.cuts.values())
    assert told > 10


def _check_server(client: Client, decoder: WireFormat) -> None:
    heard_ms = 0
    for item in {frame["item"]["id"]: 0 for frame in client.sim.frames if "item" in frame}:
        (frame,) = client.sim.send("conversation.item.retrieve", item_id=item)
        samples = decoder.decode(pybase64.b64decode(frame["item"]["content"][0]["audio"]))
        heard_ms += len(samples) * 1000 // decoder.rate
        cut = client.cuts.get(item)
        if cut is not None:
            assert len(samples) == cut.audio_end_ms * decoder.rate // 1000
            said = listen(samples, decoder.rate).text or ""
            assert said.startswith(cut.transcript)
    assert heard_ms == int(client.played)
