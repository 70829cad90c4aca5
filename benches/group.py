"""A live change of every option on many clients of one group: `python benches/group.py`.

All of them are in one process with their simulated servers: by default without sockets, with
`--sockets` over real ones on the loopback. Each option is one `group.update`; after each,
every simulated session must have exactly the new value and one `session.update` more, and at
the end all of the values together. The time is that of the `group.update` alone; memory is
the growth of the process's largest size, and a client's share includes its simulated server.
"""

import argparse
import resource
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, NamedTuple

import anyio
import msgspec

from realtime_client import Client, SessionGroup, TransportClosed
from realtime_client.acknowledgement import Acknowledgement
from realtime_client.codec import encode
from realtime_client.events import FunctionTool, RetentionRatio, ServerVad, SessionUpdate
from realtime_client.simulator import MemoryServer, SimulatedSession, SimulatorPolicy, serve

BOUND = 300.0  # seconds for everything
OPENING_AT_ONCE = 50  # a listening socket has a short queue


class Change(NamedTuple):
    """What the group is told, and what every server then has at a path."""

    shortcut: str
    given: Any
    path: tuple[str, ...]
    expected: Any


CHANGES = [
    Change("voice", "marin", ("audio", "output", "voice"), "marin"),
    Change("speed", 1.25, ("audio", "output", "speed"), 1.25),
    Change(
        "turn_detection",
        ServerVad(threshold=0.7, silence_duration_ms=700),
        ("audio", "input", "turn_detection"),
        {
            "type": "server_vad",
            "threshold": 0.7,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 700,
            "idle_timeout_ms": None,
            "create_response": True,
            "interrupt_response": True,
        },
    ),
    Change(
        "transcription",
        "whisper-1",
        ("audio", "input", "transcription"),
        {"model": "whisper-1", "language": None, "prompt": None},
    ),
    Change(
        "noise_reduction",
        "near_field",
        ("audio", "input", "noise_reduction"),
        {"type": "near_field"},
    ),
    Change("tool_choice", "required", ("tool_choice",), "required"),
    Change("tracing", "auto", ("tracing",), "auto"),
    Change("max_output_tokens", 512, ("max_output_tokens",), 512),
    Change(
        "truncation",
        RetentionRatio(retention_ratio=0.8),
        ("truncation",),
        {"type": "retention_ratio", "retention_ratio": 0.8},
    ),
    Change("instructions", "Be brief.", ("instructions",), "Be brief."),
    Change(
        "tools",
        [FunctionTool(name="look_up", parameters={"type": "object"})],
        ("tools",),
        [{"type": "function", "name": "look_up", "parameters": {"type": "object"}}],
    ),
]

Make = Callable[[], Client]
Sessions = Iterable[SimulatedSession]


def megabytes() -> float:
    """The largest size of this process so far."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1024 * 1024 if sys.platform == "darwin" else 1024)


def allow_sockets(count: int) -> None:
    """Both ends of every connection are in this process."""
    wanted = 2 * count + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if hard < wanted:
            sys.exit(f"{count} clients need {wanted} open files; the hard limit is {hard}")


@asynccontextmanager
async def simulator(
    group: SessionGroup, count: int, *, sockets: bool
) -> AsyncIterator[tuple[Make, Sessions]]:
    """How to make a client of the group, and the simulated sessions at the other end."""
    policy = SimulatorPolicy(pace="fast")
    if sockets:
        allow_sockets(count)
        async with serve(policy, keep_sessions=count) as server:
            yield lambda: Client(endpoint=server.url, group=group, open_timeout=60), server.sessions
        return
    memory = MemoryServer(policy, closed=TransportClosed)
    url = "ws://localhost/v1/realtime"
    yield lambda: Client(endpoint=url, connect=memory.connect, group=group), memory.sessions


@asynccontextmanager
async def live(make: Make, count: int) -> AsyncIterator[None]:
    """`count` live clients, each in a task of its own, as bots are."""
    stop, few = anyio.Event(), anyio.Semaphore(OPENING_AT_ONCE)

    async def run() -> None:
        async with make():
            opened.release()
            few.release()
            await stop.wait()

    opened = anyio.Semaphore(0)
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            await few.acquire()
            tasks.start_soon(run)
        for _ in range(count):
            await opened.acquire()
        yield
        stop.set()


def shown(session: SimulatedSession, path: tuple[str, ...]) -> Any:
    """What a simulated server has at a path."""
    value = msgspec.json.decode(encode(session.settings.session))
    for name in path:
        value = value[name]
    return value


def check(sessions: Sessions, count: int, changes: list[Change]) -> None:
    """Every server has every value, and one `session.update` for each and nothing else."""
    checked = 0
    for session in sessions:
        checked += 1
        assert len(session.received) == len(changes), "not one event for each change"
        assert all(type(event) is SessionUpdate for event in session.received)
        for change in changes:
            assert shown(session, change.path) == change.expected, change.shortcut
    assert checked == count, f"{checked} sessions for {count} clients"


async def change_all(group: SessionGroup, sessions: Sessions, count: int) -> list[float]:
    """Make every change and print its time; returns the seconds."""
    took = []
    for number, change in enumerate(CHANGES, 1):
        given: Any = {change.shortcut: change.given}
        start = perf_counter()
        outcomes = await group.update(**given, timeout=60)
        took.append(perf_counter() - start)
        assert len(outcomes) == count
        for outcome in outcomes.values():
            assert isinstance(outcome, Acknowledgement), outcome
            assert (outcome.changed, outcome.ignored) == ((".".join(change.path),), ())
        check(sessions, count, CHANGES[:number])
        each = took[-1] / count * 1e6
        print(f"{change.shortcut:20}{took[-1] * 1e3:8.0f} ms{each:8.0f} µs a client")
    return took


async def main(count: int, *, sockets: bool) -> None:
    group, before = SessionGroup(), megabytes()
    where = "real sockets" if sockets else "no sockets"
    print(f"Python {sys.version.split()[0]}, {count:,} clients in one group, {where}")
    with anyio.fail_after(BOUND):
        async with simulator(group, count, sockets=sockets) as (make, sessions):
            start = perf_counter()
            async with live(make, count):
                assert len(group.clients) == count
                print(f"{'opened':20}{(perf_counter() - start) * 1e3:8.0f} ms")
                opened = megabytes()
                took = await change_all(group, sessions, count)
                check(sessions, count, CHANGES)
                after = megabytes()
    print(f"{len(CHANGES)} changes in {sum(took):.2f} s, {sum(took) / len(took):.3f} s each")
    print(f"every one of {count:,} sessions has exactly these values, by one update for each")
    share = (after - before) / count * 1024
    print(
        f"memory: {before:.0f} MB before, {opened:.0f} MB with all clients live, {after:.0f} MB "
        f"at the most; {share:.0f} KB a client with its server"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--sockets", action="store_true", help="over the loopback")
    options = parser.parse_args()
    anyio.run(lambda: main(options.clients, sockets=options.sockets))
