"""What one frame of audio costs, four ways: `python benches/codec.py`.

Each round runs every candidate once for a few milliseconds and the table shows medians over
the rounds, so that a busy machine slows all of them alike. *floor* is the least that a
hand-written reader can do with the same libraries: find the payload, cut it out, decode the
two parts; it checks nothing that a server does right.
"""

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import msgspec
from msgspec.structs import force_setattr
from openai.resources.realtime.realtime import RealtimeConnection
from pybase64 import b64decode, b64encode, b64encode_as_string

from realtime_client.codec import decode, encode
from realtime_client.events import (
    InputAudioBufferAppend,
    ResponseOutputAudioDelta,
    ResponseOutputTextDelta,
)

ROUNDS = 60
ROUND_SECONDS = 0.002

PCM = bytes(range(256)) * 18 + bytes(192)  # 4,800 bytes: 100 ms at 24 kHz
IDS: dict[str, Any] = {
    "event_id": "event_Cw4dQ0pTq2u7mXh9sLr1a",
    "response_id": "resp_Cw4dPz8K1vN5bYt3eJf6g",
    "item_id": "item_Cw4dPk2R7xU0cWi4oHd8s",
    "output_index": 0,
    "content_index": 0,
}
DELTA = ResponseOutputAudioDelta(**IDS, delta=PCM)
AUDIO_FRAME = encode(DELTA)
TEXT_FRAME = encode(ResponseOutputTextDelta(**IDS, delta=" capital of", obfuscation="Zk3q"))
APPEND = InputAudioBufferAppend(audio=PCM)
OPENING, CLOSING = b'{"type":"input_audio_buffer.append","audio":"', b'"}'

plain = msgspec.json.Decoder(ResponseOutputAudioDelta | ResponseOutputTextDelta)
header = msgspec.json.Decoder(ResponseOutputAudioDelta)


class Sink:
    """The socket of the package's connection: keeps what it was given."""

    sent = b""

    def send(self, data: str | bytes) -> None:
        self.sent = data.encode() if isinstance(data, str) else data


sink: Any = Sink()
package = RealtimeConnection(sink)


def decode_floor(frame: bytes) -> ResponseOutputAudioDelta:
    start = frame.find(b'"delta":"') + 9
    end = frame.find(b'"', start)
    event = header.decode(frame[:start] + frame[end:])
    force_setattr(event, "delta", b64decode(frame[start:end], None, True))
    return event


def decode_package() -> bytes:
    # The package leaves the audio as base64 text; its caller needs the bytes.
    event: Any = package.parse_event(AUDIO_FRAME)
    return b64decode(event.delta, None, True)


def append_package() -> bytes:
    package.input_audio_buffer.append(audio=b64encode_as_string(PCM))
    return bytes(sink.sent)


Candidates = dict[str, Callable[[], object]]
TABLE: dict[str, Candidates] = {
    "decode audio, 4,800 bytes": {
        "ours": lambda: decode(AUDIO_FRAME),
        "floor": lambda: decode_floor(AUDIO_FRAME),
        "msgspec": lambda: plain.decode(AUDIO_FRAME),
        "openai": decode_package,
    },
    "encode append, 4,800 bytes": {
        "ours": lambda: encode(APPEND),
        "floor": lambda: b"".join((OPENING, b64encode(PCM), CLOSING)),
        "msgspec": lambda: msgspec.json.encode(APPEND),
        "openai": append_package,
    },
    "encode audio, 4,800 bytes": {
        "ours": lambda: encode(DELTA),
        "msgspec": lambda: msgspec.json.encode(DELTA),
    },
    "decode text delta": {
        "ours": lambda: decode(TEXT_FRAME),
        "msgspec": lambda: plain.decode(TEXT_FRAME),
        "openai": lambda: package.parse_event(TEXT_FRAME),
    },
}


def seconds(call: Callable[[], object], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        call()
    return (perf_counter() - start) / times


def measure(candidates: Candidates) -> dict[str, float]:
    """Median seconds a call, by candidate."""
    times = {
        name: max(1, int(ROUND_SECONDS / seconds(call, 20))) for name, call in candidates.items()
    }
    runs: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, call in candidates.items():
            runs[name].append(seconds(call, times[name]))
    return {name: median(run) for name, run in runs.items()}


def check() -> None:
    """What is compared gives the same result."""
    assert decode(AUDIO_FRAME) == decode_floor(AUDIO_FRAME) == plain.decode(AUDIO_FRAME) == DELTA
    assert decode_package() == PCM
    assert encode(APPEND) == msgspec.json.encode(APPEND)
    assert msgspec.json.decode(encode(APPEND)) == msgspec.json.decode(append_package())


def main() -> None:
    """Print the table: microseconds a call, and how many times ours that is."""
    check()
    print(f"Python {sys.version.split()[0]}, median of {ROUNDS} interleaved rounds, µs a call")
    print(f"{'':28}{'ours':>8}{'floor':>16}{'msgspec':>16}{'openai':>17}")
    for title, candidates in TABLE.items():
        result = measure(candidates)
        ours = result["ours"]
        row = f"{title:28}{ours * 1e6:8.2f}"
        for name in ("floor", "msgspec", "openai"):
            value = result.get(name)
            row += f"{value * 1e6:9.2f} {value / ours:5.2f}x" if value else f"{'-':>16}"
        print(row)
    print("A ratio is that candidate's time over ours: above 1, ours is faster.")


if __name__ == "__main__":
    main()
