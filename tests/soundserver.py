"""A real sound server for a test: PulseAudio with one room, whose sound can be recorded."""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def sound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A sound server of our own with one silent room, whose sound can be recorded."""
    if shutil.which("pulseaudio") is None:
        pytest.skip("no pulseaudio (Debian: pulseaudio)")
    bridge = "alsa-lib/libasound_module_pcm_pulse.so"
    if not [*glob.glob(f"/usr/lib*/{bridge}"), *glob.glob(f"/usr/lib*/*/{bridge}")]:
        pytest.skip("no way from ALSA to PulseAudio (Debian: libasound2-plugins)")
    if importlib.util.find_spec("sounddevice") is None:
        pytest.skip("no sounddevice: pip install 'realtime-voice-client[devices]'")
    home = tmp_path_factory.mktemp("sound")
    home.chmod(0o700)
    (home / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    environment = os.environ | {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PULSE_RUNTIME_PATH": str(home),
        "PULSE_SERVER": f"unix:{home}/socket",
        "PULSE_SINK": "room",
        "PULSE_SOURCE": "room.monitor",
        "PYTHONPATH": str(ROOT),
    }
    start = ["pulseaudio", "-n", "--daemonize=yes", "--exit-idle-time=60", "--disable-shm=yes"]
    modules = [
        f"module-native-protocol-unix socket={home}/socket auth-anonymous=1",
        # As a device does: blocks of some milliseconds. Without this they are of two seconds.
        "module-null-sink sink_name=room rate=48000 norewinds=1",
    ]
    start += [argument for module in modules for argument in ("-L", module)]
    started = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=30)
    if started.returncode:
        pytest.skip(f"pulseaudio does not start here: {started.stderr.strip()[-200:]}")
    yield environment
    subprocess.run(["pulseaudio", "--kill"], env=environment, check=True, capture_output=True)
