"""A real web server, real workers, people with passwords, and a part of the project's own sample catalogue."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from annotations import sample
from annotations.actions.catalogues import create_catalogue
from annotations.actions.decide_lines import decide_lines
from annotations.actions.import_tags import import_tags
from annotations.actions.imports import import_products
from annotations.actions.people import create_token, create_user, set_role
from annotations.models import Catalogue, Role, User, WorkerBeat
from annotations.sample.drawing import draw
from tagstudio import services
from tests.faults.conftest import ROOT, Worker, environment, until
from tests.stories.reader import Program, Reader

PASSWORD = "a long enough phrase"
PRODUCTS = 60
PICTURED = 6
COLUMNS = {"colour": ("color", "colour"), "material": ("material", "fabric"), "size": ("size",)}


@pytest.fixture(scope="session")
def web(django_db_setup: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real web server on the test's database, as ``run`` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("web") / "web.log"
    process = subprocess.Popen(
        services.web(port).command, env=environment(), stdout=log.open("ab"), stderr=subprocess.STDOUT, cwd=ROOT
    )
    root = f"http://127.0.0.1:{port}"

    def up() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return Reader(root).get("/login/").status == 200
        except OSError:
            return False

    try:
        until(up, 90)
        yield root
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class ProductWorker(Worker):
    COMMAND: Sequence[str] = (sys.executable, "manage.py", "worker")


@pytest.fixture
def worker(transactional_db: Any, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Start workers as people start them; they are gone after the test, their children with them."""
    started: list[Worker] = []

    def start(**more: str) -> Worker:
        one = ProductWorker(tmp_path / f"worker-{len(started)}.log", **{"JOB_LEASE_SECONDS": "5", **more})
        started.append(one)
        until(lambda: beats(one) or one.process.poll() is not None, 90)
        assert one.process.poll() is None, one.said
        return one

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()  # so that what it does with the database is over before the tables are emptied
            try:
                one.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                one.kill()
        print(one.said[-4000:])


def beats(one: Worker) -> bool:
    return WorkerBeat.objects.filter(name__endswith=f":{one.process.pid}").exists()


@dataclass
class Shop:
    """A catalogue and the ways into it; ``people`` by role, and "second", another reviewer."""

    root: str
    catalogue: Catalogue
    people: dict[str, User] = field(default_factory=dict)

    def at_pages(self, who: str) -> Reader:
        return Reader(self.root).sign_in(who, PASSWORD)

    def program(self, who: str, *scopes: str) -> Program:
        made = create_token(user=self.people[who], scopes=scopes)
        return Program(self.root, self.catalogue.slug, made.secret)

    def page(self, rest: str) -> str:
        return f"/c/{self.catalogue.slug}/{rest}"


def open_shop(web: str, slug: str) -> Shop:
    shop = Shop(web, create_catalogue(slug=slug, name=slug.title(), languages=["en"]))
    roles = {**{role.value: role for role in Role}, "second": Role.REVIEWER}
    for name, role in roles.items():
        shop.people[name] = create_user(username=name, password=PASSWORD)
        set_role(user=shop.people[name], catalogue=shop.catalogue, role=role)
    return shop


def stock(shop: Shop, folder: Path, *, decided: int = 12) -> None:
    """The sample's taxonomy and a product of each of its first families, the first ``decided`` of them decided."""
    families: dict[str, dict[str, Any]] = {}
    for row in sample.products():
        families.setdefault(str(row.get("family") or row["id"]), row)
    products = list(families.values())[:PRODUCTS]
    file = folder / "products.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in products), encoding="utf-8")
    import_tags(catalogue=shop.catalogue, path=sample.TAXONOMY_FILE, user=None)
    import_products(catalogue=shop.catalogue, path=file)
    truth = sample.truth()
    lines: list[dict[str, Any]] = []
    for row in products[:decided]:
        by = {"product": row["id"], "reviewer": "reviewer"}
        lines += [
            {**by, "facet": facet, "tag": tag, "verdict": "accept"}
            for facet, tags in truth[row["id"]].items()
            for tag in tags
        ]
        lines.append({**by, "complete": True})
    decide_lines(catalogue=shop.catalogue, lines=lines)


def rows(count: int = PRODUCTS) -> list[dict[str, Any]]:
    """The sample's first products."""
    return [row for row, _n in zip(sample.products(), range(count), strict=False)]


def table(products: Sequence[dict[str, Any]]) -> bytes:
    """They as a shop's CSV, with three of their attributes under one spelling each."""
    out = io.StringIO()
    names = ["id", "title", "description", "category", "family", "image", *COLUMNS]
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for n, row in enumerate(products):
        said = {name.lower(): values for name, values in row["attributes"].items()}
        facts = {
            facet: next((said[name][0] for name in columns if name in said), "") for facet, columns in COLUMNS.items()
        }
        writer.writerow({**row, **facts, "image": picture_of(row) if n < PICTURED else ""})
    return out.getvalue().encode()


def picture_of(row: dict[str, Any]) -> str:
    return str(row.get("image") or row["images"][0])


def picture_zip(products: Sequence[dict[str, Any]]) -> bytes:
    shown = {picture["image"]: picture for picture in sample.pictures()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row in products[:PICTURED]:
            jpeg = io.BytesIO()
            draw(shown[picture_of(row)], 128).save(jpeg, "JPEG")
            archive.writestr(picture_of(row), jpeg.getvalue())
    return out.getvalue()
