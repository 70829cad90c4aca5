"""Ask in writing, hear the answer: the smallest whole program.

Without a key it talks to the simulator; with OPENAI_API_KEY in the environment and the
argument `--openai`, to the real thing.
"""

import sys
import wave

import anyio

from realtime_client import Client, Endpoint, OpenAI
from realtime_client.simulator import serve


async def ask(endpoint: Endpoint) -> None:
    async with Client(endpoint=endpoint, voice="marin", instructions="Be brief.") as client:
        await client.send_text("What is the capital of France?")
        response = await client.response.create()
        with wave.open("capital.wav", "wb") as speaker:
            speaker.setparams((1, 2, 24_000, 0, "NONE", ""))
            async for output in response:
                async for chunk in output.audio:
                    speaker.writeframes(chunk)
        print(response.status, response.transcript, response.usage)


async def main() -> None:
    if "--openai" in sys.argv:
        await ask(OpenAI())
        return
    async with serve() as simulator:
        await ask(Endpoint(simulator.url))


if __name__ == "__main__":
    anyio.run(main)
