"""The house keeps its rooms: who may import whom, who may do I/O, who is exported where."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import realtime_client

ROOT = Path(realtime_client.__file__).parent

ROOMS = [
    # words
    "redaction", "fatal", "errors", "events", "_grammar", "_repair", "codec", "former",
    "credentials", "targets", "addresses", "dialects", "endpoints", "outcome", "leaves", "fixed",
    "given", "patience", "reconnect", "rollover", "tools", "written", "options", "translation",
    "pictures", "wording", "heard", "audio",
    # machines
    "acknowledgement", "config", "kept", "asking", "conversation", "meaning", "syncing", "ruler",
    "backlog", "committing", "input", "playback", "lives", "creates", "verdicts", "router",
    "turns", "calls", "usage", "closing",
    # core
    "frames", "memories", "survivors", "recalling", "carrying", "capabilities", "outbox",
    "machines", "handlers", "desk", "opening", "settling", "restoring", "handover", "protocol",
    # shell
    "changeover", "trace", "streams", "pacing", "devices", "handshake", "transport", "pcm_stream",
    "speech", "response", "user_turn", "watches", "handles", "audience", "listening", "link",
    "calling", "connection", "keeper", "player", "uplink", "toolbox", "items", "verbs", "say",
    "session", "rooms", "talking", "looking", "rest", "entering", "client", "translated",
    "translator", "group", "__init__",
    # what is built on it
    "simulator", "cli", "__main__",
]  # fmt: skip
"""Every room, lowest first. A room imports from rooms above it in this list only."""

MACHINES = {
    "calls", "closing", "config", "conversation", "input", "playback", "router", "turns", "usage",
}  # fmt: skip
SANS_IO = set(ROOMS[: ROOMS.index("changeover")])
IO = {
    "anyio", "asyncio", "concurrent", "http", "httpx", "logging", "multiprocessing", "queue",
    "random", "secrets", "select", "selectors", "socket", "ssl", "subprocess", "threading",
    "time", "trio", "urllib.request", "uuid", "websockets",
}  # fmt: skip
SIMULATOR_SHELL = {"memory", "serve", "clock", "front"}
"""The simulator's own shell; its other modules are sans-IO."""
WORDS = set(ROOMS[: ROOMS.index("acknowledgement")])


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every import of a module: the full name, and whether it is for type checkers only."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for node in ast.walk(branch)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            package = module == "realtime_client"
            names = [f"{module}.{a.name}" for a in node.names] if package else [module]
        else:
            continue
        found += [(name, id(node) in typing_only) for name in names]
    return found


def own(path: Path) -> set[str]:
    """The rooms that a module imports."""
    return {
        name.split(".")[1] if name.split(".")[1] in ROOMS else "__init__"
        for name, _ in imports(path)
        if name.startswith("realtime_client.")
    }


def test_every_module_is_in_a_room_that_is_listed() -> None:
    assert {room(path) for path in modules()} <= set(ROOMS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    here = ROOMS.index(room(path))
    for other in own(path) - {room(path)}:
        assert ROOMS.index(other) < here, f"{room(path)} imports {other}, which is not below it"


def test_the_machines_do_not_know_each_other() -> None:
    for path in modules():
        if room(path) in MACHINES:
            assert not own(path) & (MACHINES - {room(path)}), path


def test_no_io_below_the_shell() -> None:
    for path in modules():
        below = room(path) in SANS_IO
        if room(path) == "simulator":
            below = path.stem not in SIMULATOR_SHELL | {"__init__"}
        if not below:
            continue
        for name, _ in imports(path):
            parts = name.split(".")
            assert not {parts[0], ".".join(parts[:2])} & IO, f"{path.name} imports {name}"


def test_the_simulator_shares_words_with_the_client_and_nothing_else() -> None:
    for path in modules():
        if room(path) == "simulator":
            assert own(path) <= WORDS | {"simulator"}, path


def test_every_public_name_is_exported_once() -> None:
    seen: dict[str, str] = {}
    for name in ("", ".events", ".codec", ".errors", ".audio", ".simulator", ".rest"):
        module = importlib.import_module(f"realtime_client{name}")
        assert len(set(module.__all__)) == len(module.__all__)
        for exported in module.__all__:
            assert hasattr(module, exported)
            assert exported not in seen, f"{exported}: {module.__name__}, {seen[exported]}"
            seen[exported] = module.__name__


def test_importing_the_package_is_cheap() -> None:
    heavy = [
        "numpy", "soxr", "httpx", "jiwer", "sounddevice", "soundfile", "click", "trio",
        "realtime_client.simulator", "realtime_client.audio", "realtime_client.cli",
    ]  # fmt: skip
    script = f"import sys, realtime_client; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
