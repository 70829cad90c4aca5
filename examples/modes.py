"""The ways in which people use a Realtime session, each in one line of configuration.

The line is the `Client(...)` or the `session.update(...)` of each function; all the rest is
what one then does with it. `docs/configuration.md` lists the lines. Run as a program, it
plays them against the simulator, without a key; all but the transcription session, which the
simulator has not got.

`speech` is one turn as 24 kHz PCM (int16), with half a second of silence after it where the
server's VAD is to end the turn.
"""

import anyio
import numpy as np

from realtime_client import Client, Endpoint, Response
from realtime_client.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ServerVad,
    TranscriptionSessionConfig,
)
from realtime_client.simulator import listen, serve, sing


async def audio_of(response: Response) -> bytes:
    """Everything that a response says, as it would go to the speaker."""
    return b"".join([chunk async for chunk in response.audio])


async def text_of(response: Response) -> str:
    """Everything that a response writes."""
    return "".join([await output.text.read() async for output in response])


async def push_to_talk(endpoint: Endpoint, speech: bytes) -> bytes:
    async with Client(endpoint=endpoint, turn_detection=None) as c:
        await c.send_audio(speech)
        await c.input_audio_buffer.commit()
        return await audio_of(await c.response.create())


async def speech_in_and_text_out(endpoint: Endpoint, speech: bytes) -> str:
    async with Client(endpoint=endpoint, output_modalities=["text"]) as c:
        responses = c.responses()
        await c.send_audio(speech)
        return await text_of(await anext(responses))


async def text_in_and_speech_out(endpoint: Endpoint, words: str) -> bytes:
    async with Client(endpoint=endpoint, output_modalities=["audio"]) as c:
        await c.send_text(words)
        return await audio_of(await c.response.create())


async def no_transcription_at_all(endpoint: Endpoint, speech: bytes) -> bytes:
    async with Client(endpoint=endpoint, transcription=None) as c:
        responses = c.responses()
        await c.send_audio(speech)
        return await audio_of(await anext(responses))


async def transcription_only(endpoint: Endpoint, speech: bytes) -> str:
    async with Client(
        endpoint=endpoint,
        session=TranscriptionSessionConfig(),
        transcription="gpt-realtime-whisper",
        turn_detection=None,
    ) as c:
        happening = c.events()
        await c.send_audio(speech)
        await c.input_audio_buffer.commit()
        async for frame in happening:
            if isinstance(frame.event, ConversationItemInputAudioTranscriptionCompleted):
                return frame.event.transcript or ""
    raise AssertionError("the events end with an error, or with the words")


async def external_speech_to_text_in_and_speech_out(endpoint: Endpoint, words: str) -> bytes:
    async with Client(endpoint=endpoint, turn_detection=None, transcription=None) as c:
        await c.send_text(words)  # what your own speech-to-text has understood
        return await audio_of(await c.response.create())


async def tuning_the_vad_while_live(endpoint: Endpoint, speech: bytes) -> bytes:
    async with Client(endpoint=endpoint) as c:
        await c.send_audio(speech)
        await c.session.update(turn_detection=ServerVad(silence_duration_ms=900))
        responses = c.responses()
        await c.send_audio(speech)
        return await audio_of(await anext(responses))


async def changing_the_voice_before_the_first_word(endpoint: Endpoint, words: str) -> bytes:
    async with Client(endpoint=endpoint) as c:
        await c.send_text(words)
        await c.session.update(voice="cedar")
        return await audio_of(await c.response.create())


async def main() -> None:
    silence = np.zeros(24_000, np.int16)
    speech = np.concatenate([silence, sing("Good morning."), silence]).tobytes()
    async with serve() as simulator:
        endpoint = Endpoint(simulator.url)
        print(await speech_in_and_text_out(endpoint, speech))
        for spoken in (push_to_talk, no_transcription_at_all, tuning_the_vad_while_live):
            show(spoken.__name__, await spoken(endpoint, speech))
        for written in (
            text_in_and_speech_out,
            external_speech_to_text_in_and_speech_out,
            changing_the_voice_before_the_first_word,
        ):
            show(written.__name__, await written(endpoint, "Good evening."))


def show(name: str, audio: bytes) -> None:
    print(f"{name}: {listen(np.frombuffer(audio, np.int16), 24_000).text}")


if __name__ == "__main__":
    anyio.run(main)
