"""The command line: a spoken conversation from file to file, and the simulator as a server.

Every mistake that a person can make here ends in one line that says what to do, and exit
status 2. A traceback is a bug of ours.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

__all__ = ["main"]


class Mistake(click.ClickException):
    """One line on standard error, exit status 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        """Print the line."""
        click.echo(f"error: {self.message}", err=True)


EXIT_INTERRUPTED: Final = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="realtime-voice-client", prog_name="realtime-client")
def main() -> None:
    """A client for Realtime voice models."""


@main.command()
@click.argument("recording", metavar="IN.wav", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="OUT.wav", type=click.Path(path_type=Path), required=True)
@click.option("--endpoint", metavar="URL", help="A real server; the embedded simulator otherwise.")
@click.option("--api-key-env", metavar="NAME", help="The variable that holds the server's key.")
@click.option("--model", metavar="MODEL", help="The model to ask for.")
@click.option("--voice", metavar="VOICE", help="The voice of the answer.")
@click.option("--instructions", metavar="TEXT", help="What the model is told to be.")
@click.option(
    "--silence-ms",
    type=click.IntRange(100, 5000),
    default=500,
    show_default=True,
    help="How long you must be silent for your turn to be over.",
)
@click.option("--fast", is_flag=True, help="Do not wait for the real pace of the recording.")
def converse(
    recording: Path,
    output: Path,
    endpoint: str | None,
    api_key_env: str | None,
    model: str | None,
    voice: str | None,
    instructions: str | None,
    silence_ms: int,
    fast: bool,
) -> None:
    """Say IN.wav to a model and keep what it answers as OUT.wav.

    IN.wav may have any rate, width and number of channels. Transcripts and latencies are
    printed as they come.
    """
    from realtime_client.cli.converse import Job, run

    api_key = _api_key(api_key_env, endpoint)
    options = {"model": model, "voice": voice, "instructions": instructions}
    job = Job(
        recording=recording,
        output=output,
        endpoint=endpoint,
        api_key=api_key,
        silence_ms=silence_ms,
        fast=fast,
        options={name: value for name, value in options.items() if value is not None},
    )
    run(job)


@main.command()
@click.option("--endpoint", metavar="URL", help="A real server; the embedded simulator otherwise.")
@click.option("--api-key-env", metavar="NAME", help="The variable that holds the server's key.")
@click.option("--model", metavar="MODEL", help="The model to ask for.")
@click.option("--voice", metavar="VOICE", help="The voice of the answer.")
@click.option("--instructions", metavar="TEXT", help="What the model is told to be.")
@click.option("--headphones", is_flag=True, help="Listen while the model speaks.")
def talk(
    endpoint: str | None,
    api_key_env: str | None,
    model: str | None,
    voice: str | None,
    instructions: str | None,
    headphones: bool,
) -> None:
    """Talk to a model, at microphone and speaker.

    Space interrupts the model, m mutes the microphone, q ends the conversation.

    A microphone hears the loudspeaker too, and there is no acoustic echo cancellation here. So
    the microphone is off while the model speaks, and only a key interrupts it. With
    --headphones it stays on, and speaking interrupts as well.

    Needs the extra "devices": pip install 'realtime-voice-client[devices]'.
    """
    from realtime_client.cli.talk import Job, run

    options = {"model": model, "voice": voice, "instructions": instructions}
    job = Job(
        endpoint=endpoint,
        api_key=_api_key(api_key_env, endpoint),
        headphones=headphones,
        options={name: value for name, value in options.items() if value is not None},
    )
    run(job)


def _api_key(name: str | None, endpoint: str | None) -> str | None:
    """The key in the variable that was named."""
    if name is None:
        return None
    api_key = os.environ.get(name)
    if not api_key:
        raise Mistake(f"--api-key-env {name}: that variable is not set")
    if endpoint is None:
        raise Mistake("--api-key-env needs --endpoint URL; the simulator takes no key")
    return api_key


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--fast", is_flag=True, help="Answer as fast as possible, not at a speaking pace.")
def serve(host: str, port: int, fast: bool) -> None:
    """Run the simulator: a Realtime server that needs no key."""
    from realtime_client.cli.serve import run

    run(host, port, fast=fast)
