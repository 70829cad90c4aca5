"""`serve`: the simulator for programs in any language."""

from __future__ import annotations

import anyio
import click

from realtime_client import simulator
from realtime_client.cli import EXIT_INTERRUPTED, Mistake

__all__ = ["run"]


def run(host: str, port: int, *, fast: bool) -> None:
    """Serve until interrupted."""
    try:
        anyio.run(_serve, host, port, fast)
    except OSError as error:
        raise Mistake(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


async def _serve(host: str, port: int, fast: bool) -> None:
    policy = simulator.SimulatorPolicy(pace="fast" if fast else "realtime")
    async with simulator.serve(policy=policy, host=host, port=port) as server:
        click.echo(f"listening on {server.url}")
        await anyio.sleep_forever()
