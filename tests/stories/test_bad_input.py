"""Bad input: each a message that says what and where, and nothing of what was there is lost."""

from __future__ import annotations

import csv
import html
import io
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotations.models import Decision, ImportBatch, Job, Product
from tests.faults.conftest import Worker, ended
from tests.stories.conftest import Shop, open_shop, picture_of, picture_zip, rows, table
from tests.stories.reader import Page, Reader

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True), pytest.mark.long]


def sent(
    shop: Shop, lead: Reader, name: str, content: bytes, pictures: bytes | None = None
) -> tuple[ImportBatch, Page]:
    """A file on its page, not taken in yet."""
    form = lead.get(shop.page("imports/")).form("receive")
    files = {"table": SimpleUploadedFile(name, content)}
    if pictures is not None:
        files["pictures"] = SimpleUploadedFile("pictures.zip", pictures)
    page = lead.send(form.action, form.fields, files)
    assert page.status == 200, page.text
    return ImportBatch.objects.get(pk=int(page.url.rstrip("/").rsplit("/", 1)[1])), page


def taken(shop: Shop, lead: Reader, batch: ImportBatch, page: Page) -> tuple[Job, Page]:
    """The button pressed, whatever the page says about it; and the page afterwards."""
    token = page.form("/discard/").all("csrfmiddlewaretoken")[0]
    here = shop.page(f"imports/{batch.pk}/")
    fields = page.form("/go/").fields if "/go/" in page.text else [("csrfmiddlewaretoken", token)]
    lead.send(here + "go/", [*fields, ("do", "start")])
    batch.refresh_from_db()
    assert batch.job is not None
    return ended(batch.job, 120), lead.get(here)


def listed(lead: Reader, shop: Shop, batch: ImportBatch) -> list[dict[str, str]]:
    text = lead.get(shop.page(f"imports/{batch.pk}/problems.csv")).text
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


def whole(shop: Shop) -> dict[str, Any]:
    """What there is to lose."""
    products = Product.objects.filter(catalogue=shop.catalogue)
    return {
        "products": list(products.order_by("pk").values("external_id", "title", "attributes", "pictures", "archived_at")),
        "decisions": Decision.objects.filter(catalogue=shop.catalogue).count(),
    }  # fmt: skip


def refused_whole(shop: Shop, lead: Reader) -> None:
    """Files that cannot be read at all: said on the page; taken in all the same, a job that fails with the sentence."""
    before = whole(shop)
    assert len(before["products"]) == 4
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("coat.png", b"\x89PNG\r\n\x1a\n")  # a zip of tables would be read as one
    files = {
        "empty.csv": (b"", "The file is empty."),
        "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "The file is not text but"),
        "zipped.csv": (zipped.getvalue(), "This is a zip archive and not a table."),
        "caret.csv": (table(rows(4)).replace(b",", b"^"), "Only one column was found (“id^title"),
    }
    for name, (content, says) in files.items():
        batch, page = sent(shop, lead, name, content)
        assert says in page.text, f"{name}: {page.text}"
        job, after = taken(shop, lead, batch, page)
        assert (job.state, says in job.error) == (Job.State.FAILED, True), f"{name}: {job.state} {job.error}"
        assert name in after.text and says in after.text
        assert whole(shop) == before, name


def bad_rows_among_good(shop: Shop, lead: Reader) -> None:
    """Three of a hundred rows are left out, each named by line and column; the others are in."""
    lines = table(rows(100)).decode().split("\r\n")
    twin, anonymous, torn = 20, 50, 80  # lines of the file, the header being the first
    known = lines[9].split(",", 1)[0]
    lines[twin - 1] = known + "," + lines[twin - 1].split(",", 1)[1]
    lines[anonymous - 1] = "," + lines[anonymous - 1].split(",", 1)[1]
    lines[torn - 1] += ",one,two"
    batch, page = sent(shop, lead, "hundred.csv", "\r\n".join(lines).encode())
    job, after = taken(shop, lead, batch, page)
    assert job.state == Job.State.DONE, job.error
    problems = {int(p["line"]): p for p in listed(lead, shop, batch)}
    assert {line: (p["file"], p["column"], p["code"]) for line, p in problems.items()} == {
        twin: ("hundred.csv", "id", "duplicate-id"),
        anonymous: ("hundred.csv", "id", "missing-id"),
        torn: ("hundred.csv", "size", "too-many-cells"),
    }
    assert "10" in problems[twin]["message"], "it says where the id was first"
    assert all(p["message"] in html.unescape(after.text) for p in problems.values())
    there = set(
        Product.objects.filter(catalogue=shop.catalogue, archived_at=None).values_list("external_id", flat=True)
    )
    left_out = {row["id"] for n, row in enumerate(rows(100), start=2) if n in problems}
    assert there == {row["id"] for row in rows(100)} - left_out


def picture_that_is_none(shop: Shop, lead: Reader) -> None:
    """It costs only itself: its row is in, and so are the other pictures."""
    products = rows(104)[100:]
    zipped = io.BytesIO(picture_zip(products))
    with zipfile.ZipFile(zipped) as archive:
        pictures = {name: archive.read(name) for name in archive.namelist()}
    false = picture_of(products[1])
    pictures[false] = b"<html>404 Not Found</html>"
    pictures[picture_of(products[2])] = pictures[picture_of(products[2])][:300]
    bad = io.BytesIO()
    with zipfile.ZipFile(bad, "w") as archive:
        for name, content in pictures.items():
            archive.writestr(name, content)
    batch, page = sent(shop, lead, "pictured.csv", table(products), bad.getvalue())
    job, _after = taken(shop, lead, batch, page)
    assert job.state == Job.State.DONE, job.error
    problems = {(int(p["line"]), p["column"], p["code"]) for p in listed(lead, shop, batch)}
    assert problems == {(3, "image", "picture-kind"), (4, "image", "picture-broken")}
    shown = {p.external_id: len(p.pictures) for p in Product.objects.filter(catalogue=shop.catalogue)}
    assert [shown[row["id"]] for row in products] == [1, 0, 0, 1]


def doors_that_stay_shut(shop: Shop) -> None:
    before = whole(shop)
    choice = {"id": str(uuid.uuid4()), "facet": "colour", "tag": "black", "verdict": "add"}
    body = {"product": rows(1)[0]["id"], "version": 0, "decisions": [choice]}
    refusal = shop.program("reviewer", "export").post("decisions/", body)
    assert (refusal.status, refusal.json["code"], refusal.json["needs"]) == (403, "scope", ["review"])
    assert "review" in refusal.json["detail"]
    weak = shop.program("viewer", "review").post("decisions/", body)
    assert weak.status == 403 and weak.json["code"] != "scope", "the role is asked for as well"
    reviewer = shop.program("reviewer", "review")
    unknown = reviewer.post("decisions/", {**body, "decisions": [{**choice, "tag": "ultraviolet"}]})
    assert (unknown.status, unknown.json["code"], unknown.json["tag"]) == (422, "unknown_tag", "ultraviolet")
    for name, value in {"version": "first", "complet": True}.items():
        broken = reviewer.post("decisions/", {**body, name: value})
        assert (broken.status, broken.json["code"], list(broken.json["errors"])) == (400, "invalid", [name])
    assert whole(shop) == before


def test_bad_input_is_named_and_nothing_is_lost(web: str, worker: Callable[..., Worker]) -> None:
    shop = open_shop(web, "bad")
    worker()
    lead = shop.at_pages("lead")
    products = rows(4)
    batch, page = sent(shop, lead, "good.csv", table(products), picture_zip(products))
    assert taken(shop, lead, batch, page)[0].state == Job.State.DONE
    form = lead.get(shop.page("taxonomy/")).form("from-attributes")
    assert lead.send(form.action, form.fields).status == 200

    refused_whole(shop, lead)
    doors_that_stay_shut(shop)
    bad_rows_among_good(shop, lead)
    picture_that_is_none(shop, lead)
