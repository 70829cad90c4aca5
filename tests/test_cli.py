"""The command line, as a person runs it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from realtime_client.cli import main
from realtime_client.simulator import SimulatorPolicy, listen, serve, sing

QUESTION = Path(__file__).parents[1] / "examples" / "audio" / "question.wav"


def run(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], **options)


def wav(path: Path, text: str, rate: int, subtype: str, channels: int = 1) -> Path:
    sung = sing(text, rate).astype(np.float64) / 2**15
    padded = np.concatenate([np.zeros(rate // 5), sung])
    soundfile.write(path, np.stack([padded] * channels, axis=1), rate, subtype=subtype)
    return path


def words(path: Path) -> str | None:
    samples, rate = soundfile.read(path, dtype="int16")
    return listen(samples, rate).text


@contextlib.contextmanager
def simulator(policy: SimulatorPolicy) -> Iterator[str]:
    """A server in a thread of its own, as another program would be."""
    started, stop = threading.Event(), threading.Event()
    url: list[str] = []

    async def main() -> None:
        async with serve(policy) as server:
            url.append(server.url)
            started.set()
            await anyio.to_thread.run_sync(stop.wait)

    thread = threading.Thread(target=lambda: anyio.run(main))
    thread.start()
    assert started.wait(10)
    yield url[0]
    stop.set()
    thread.join()


def one_line(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.output
    return result.stderr


def test_the_demo_answers_a_human_voice_with_what_it_prints(tmp_path: Path) -> None:
    answer = tmp_path / "made" / "answer.wav"
    result = run("converse", QUESTION, "-o", answer, "--fast")
    assert result.exit_code == 0, result.output
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if " " in line)
    assert lines["you"].startswith("[speech, ")
    assert words(answer) == lines["answer"]
    assert "to the first audio" in lines["latency"]


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"),
    [(8_000, "ULAW", 1), (11_025, "PCM_U8", 2), (44_100, "PCM_24", 2), (48_000, "FLOAT", 1),
     (96_000, "DOUBLE", 6), (16_000, "PCM_32", 1)],
)  # fmt: skip
def test_a_recording_of_any_kind(tmp_path: Path, rate: int, subtype: str, channels: int) -> None:
    spoken = wav(tmp_path / "in.wav", "any kind of file", rate, subtype, channels)
    result = run("converse", spoken, "-o", tmp_path / "out.wav", "--fast")
    assert result.exit_code == 0, result.output
    assert "you      any kind of file\n" in result.stdout
    assert "answer   You said: any kind of file\n" in result.stdout
    assert words(tmp_path / "out.wav") == "You said: any kind of file"


def test_two_turns_are_answered_one_after_the_other(tmp_path: Path) -> None:
    turns = [sing("first", 24_000), np.zeros(24_000, np.int16), sing("second", 24_000)]
    soundfile.write(tmp_path / "in.wav", np.concatenate(turns), 24_000, subtype="PCM_16")
    result = run("converse", tmp_path / "in.wav", "-o", tmp_path / "out.wav", "--fast")
    assert result.exit_code == 0, result.output
    assert [line for line in result.stdout.splitlines() if line.startswith("you")] == [
        "you      first",
        "you      second",
    ]
    heard = words(tmp_path / "out.wav")
    assert heard is not None
    assert heard.endswith("You said: second")


def test_a_server_with_a_key(tmp_path: Path) -> None:
    spoken = wav(tmp_path / "in.wav", "with a key", 24_000, "PCM_16")
    command = ["converse", spoken, "-o", tmp_path / "out.wav", "--fast", "--api-key-env", "MY_KEY"]
    with simulator(SimulatorPolicy(pace="fast", api_keys=frozenset({"right"}))) as url:
        command += ["--endpoint", url]
        result = run(*command, env={"MY_KEY": "right"})
        assert result.exit_code == 0, result.output
        assert words(tmp_path / "out.wav") == "You said: with a key"
        wrong = one_line(run(*command, env={"MY_KEY": "very-wrong"}))
        assert "invalid_api_key" in wrong
        assert "very-wrong" not in wrong
        assert "MY_KEY: that variable is not set" in one_line(run(*command, env={"MY_KEY": ""}))


def test_mistakes_are_one_line_each(tmp_path: Path) -> None:
    noise, silent = tmp_path / "noise.wav", tmp_path / "silent.wav"
    noise.write_bytes(b"this is not audio")
    soundfile.write(silent, np.zeros(24_000, np.int16), 24_000)
    out = tmp_path / "out.wav"
    missing = tmp_path / "missing.wav"
    assert "there is no such file" in one_line(run("converse", missing, "-o", out))
    assert "is not audio" in one_line(run("converse", noise, "-o", out))
    assert "is not audio" in one_line(run("converse", tmp_path, "-o", out))
    refused = run("converse", QUESTION, "-o", out, "--endpoint", "ws://127.0.0.1:1/v1/realtime")
    assert "cannot reach ws://127.0.0.1:1" in one_line(refused)
    nowhere = run("converse", QUESTION, "-o", out, "--endpoint", "nowhere")
    assert "looks like wss://" in one_line(nowhere)
    keyless = run("converse", QUESTION, "-o", out, "--api-key-env", "HOME")
    assert "needs --endpoint" in one_line(keyless)
    bad_model = run("converse", QUESTION, "-o", noise / "out.wav", "--fast")
    assert "cannot write" in one_line(bad_model)
    assert not out.exists()


def test_silence_is_said_to_be_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_client.cli.converse.HEAR_TIMEOUT", 0.05)
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(24_000, np.int16), 24_000)
    result = run("converse", silent, "-o", tmp_path / "out.wav", "--fast")
    assert "heard no speech" in one_line(result)


def test_a_server_that_never_answers_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_client.cli.converse.ANSWER_TIMEOUT", 0.05)
    spoken = wav(tmp_path / "in.wav", "anybody there?", 24_000, "PCM_16")
    with simulator(SimulatorPolicy(created_after=600)) as url:
        result = run("converse", spoken, "-o", tmp_path / "o.wav", "--fast", "--endpoint", url)
    assert "heard 1 turns and answered 0" in one_line(result)


def test_the_module_and_the_version() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "realtime_client", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith("realtime-client, version ")


def test_serve_runs_for_other_programs() -> None:
    from websockets.sync.client import connect

    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "realtime_client", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        with connect(f"{url}?model=gpt-realtime") as connection:
            assert '"session.created"' in str(connection.recv())
    finally:
        process.terminate()
        process.communicate()


def test_serve_says_when_the_port_is_taken() -> None:
    with simulator(SimulatorPolicy()) as url:
        port = url.split(":")[2].split("/")[0]
        assert "cannot listen on" in one_line(run("serve", "--port", port))
