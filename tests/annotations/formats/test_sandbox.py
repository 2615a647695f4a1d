"""The child that reads hostile files: limits hold, it is gone afterwards, and its answers are data."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import psutil
import pytest

from annotations.formats.confined import preview_confined, read_products_confined, store_pictures_confined
from annotations.formats.products import read_products
from annotations.formats.rows import FileRefused, Problem, Row
from annotations.formats.sandbox import run_limited, stream_limited

from . import hostile


def test_values_and_items_come_back() -> None:
    assert run_limited(hostile.double, 21) == 42
    items = list(stream_limited(hostile.count_up, 5))
    assert [i["n"] for i in items] == [0, 1, 2, 3, 4]


def test_too_much_memory_is_refused_and_enough_is_not() -> None:
    with pytest.raises(FileRefused) as refused:
        run_limited(hostile.eat_memory, 600, megabytes=300)
    assert refused.value.code == "sandbox-memory"
    assert run_limited(hostile.eat_memory, 600, megabytes=1000) == 600 * 1024**2  # the control


@pytest.mark.parametrize(("function", "args"), [(hostile.sleep_on, [60]), (hostile.spin, [])])
def test_too_much_time_is_refused(function: object, args: list[object]) -> None:
    before = time.monotonic()
    with pytest.raises(FileRefused) as refused:
        run_limited(function, *args, seconds=1)  # type: ignore[arg-type]
    assert refused.value.code == "sandbox-time" and time.monotonic() - before < 30


def test_refusals_of_the_child_are_its_readers_and_accidents_are_told() -> None:
    with pytest.raises(FileRefused, match=r"\.xls") as refused:
        run_limited(hostile.refuse)
    assert (refused.value.code, refused.value.file) == ("old-excel", "a.xls")
    with pytest.raises(FileRefused, match="exit 9"):
        run_limited(hostile.crash)
    with pytest.raises(FileRefused) as refused:
        run_limited(hostile.talk, "no json\n")
    assert refused.value.code == "sandbox-died"


@pytest.mark.long
def test_nobody_is_left_when_the_reader_loses_interest() -> None:
    items = stream_limited(hostile.fork_and_wait, seconds=30)
    child = psutil.Process(next(items))
    family = [child, *child.children()]
    assert len(family) == 2
    items.close()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def test_no_secret_of_the_environment_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    assert "hunter2" not in str(run_limited(hostile.environment))


def test_products_read_in_the_child_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b"id,title,color\n" + b"".join(b"%d,Shirt %d,Blue\n" % (n, n) for n in range(250)) + b",x,y\n")
    here, there = list(read_products(path)), list(read_products_confined(path))
    assert here == there and len(here) == 251
    assert sum(isinstance(i, Row) for i in there) == 250 and isinstance(there[-1], Problem)
    seen = preview_confined(path, 3)
    assert len(seen["rows"]) == 3 and seen["headers"] == ["id", "title", "color"] and seen["refusal"] is None
    path.write_bytes(b"")
    with pytest.raises(FileRefused, match="empty"):
        read_products_confined(path)


def test_a_small_json_object_takes_little_memory(tmp_path: Path) -> None:
    """Asked for as many characters as the limit allows, Python would make room for all of them."""
    path = tmp_path / "shop.json"
    path.write_text('{\n  "products": [{"id": "1", "title": "Shoe"}]\n}\n')
    seen = preview_confined(path)
    assert (seen["kind"], [row["title"] for row in seen["rows"]]) == ("json", ["Shoe"])


@pytest.mark.long
def test_a_zip_bomb_beside_good_pictures_costs_one_problem(tmp_path: Path, jpeg: bytes) -> None:
    archive, out = tmp_path / "p.zip", tmp_path / "out"
    out.mkdir()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bomb.jpg", jpeg[:3] + b"\0" * 300_000_000)
        z.writestr("good.jpg", jpeg)
    assert archive.stat().st_size < 1_000_000
    got = list(store_pictures_confined(archive, [("bomb.jpg", "t.csv", 2), ("good.jpg", "t.csv", 3)], out))
    assert isinstance(got[0], Problem) and (got[0].code, got[0].line) == ("picture-inflates", 2)
    assert not isinstance(got[1], Problem) and {p.name for p in out.iterdir()} == {got[1].name, got[1].thumbnail}
