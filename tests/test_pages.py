"""What the pages say of the code is so: their examples, their links, the numbers, the picture."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import realtime_client
from realtime_client import Keepalive, Reconnect, Reconnected, Rollover
from realtime_client.reconnect import DROP, keep

PACKAGE = Path(realtime_client.__file__).parent
ROOT = PACKAGE.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def examples(text: str) -> list[str]:
    return re.findall(r"(?ms)^```python\n(.*?)^```", text)


@pages
def test_examples_are_python(page: Path) -> None:
    for example in examples(page.read_text()):
        compile(example, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pages
def test_what_examples_import_is_there(page: Path) -> None:
    for example in examples(page.read_text()):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("realtime"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert alias.name in module.__all__, f"{node.module}.{alias.name}"


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_picture_of_the_house_has_every_room() -> None:
    (picture,) = re.findall(r"(?ms)^```\n(shell .*?)^```", page("design.md"))
    drawn = re.findall(r"(?<!\S)(\w+)(?:\.py|/)(?!\S)", picture)
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert sorted(drawn) == sorted(rooms - {"simulator", *(one for one in rooms if one[0] == "_")})


# -- docs/reconnection.md --------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [Reconnect(), Rollover()], ids=["reconnect", "rollover"])
def test_the_page_shows_the_defaults(policy: Any) -> None:
    name = type(policy).__name__
    (shown,) = re.findall(rf"`{name}\((\w+=[^)]*, [^)]*)\)`", page("reconnection.md"))
    given = {str(one.arg): ast.literal_eval(one.value) for one in _call(f"f({shown})").keywords}
    known = {field.name: getattr(policy, field.name) for field in dataclasses.fields(policy)}
    assert given == {field: known[field] for field in given}
    assert set(known) - set(given) <= {"audio", "opening"}


def _call(text: str) -> ast.Call:
    expression = ast.parse(text, mode="eval").body
    assert isinstance(expression, ast.Call)
    return expression


def test_the_page_shows_the_other_defaults() -> None:
    text = page("reconnection.md")
    assert Reconnect().audio == keep(5_000)
    assert "`keep(5_000)`, the default" in text
    assert keep(0) == DROP
    assert Keepalive(20, 20) == Keepalive()
    assert "`Keepalive(20, 20)`" in text


def test_the_page_has_every_attribute_of_the_report() -> None:
    (table,) = re.findall(r"(?s)\| attribute \| what it is \|\n(.*?)\n\n", page("reconnection.md"))
    rows = [line.split("|")[1] for line in table.splitlines()[1:]]
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert told == [field.name for field in dataclasses.fields(Reconnected)]
