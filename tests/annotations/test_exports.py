"""Files of approved tags: whole or not at all, the same bytes for the same number, and told by their manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotations.actions.errors import Refused
from annotations.actions.exports import export_file, request_export, write_export
from annotations.models import AuditEvent, Job
from annotations.queries.feed import all_changes, last_seq
from tests.annotations.test_feed import replay


@pytest.fixture
def decided(world):
    world.decide(world.products[2], white="accept", leather="accept", complete="colour")
    world.decide(world.products[0], black="accept", wool="accept", cotton="reject")
    world.decide(world.products[1], red="reject")
    return world


def export(world, tmp_path, form="jsonl", **more):
    out = tmp_path / "out"
    return export_file(catalogue=world.catalogue, format=form, out=out, **more), out.read_bytes()


def test_jsonl_equals_the_replayed_feed(decided, tmp_path):
    done, data = export(decided, tmp_path)
    lines = [json.loads(line) for line in data.splitlines()]
    assert [line["id"] for line in lines] == ["P-0", "P-1", "P-2"]
    assert done.rows == 3
    assert done.sha256 == hashlib.sha256(data).hexdigest()
    assert lines[0]["attributes"] == {"colour": ["Black"], "material": ["Wool"]}
    assert lines[0]["decided"]["colour"]["black"]["by"] == "reviewer"
    exported = {(line["id"], f, t) for line in lines for f, tags in line["decided"].items() for t in tags}
    approved = {key for key, state in replay(all_changes(decided.catalogue)).items() if state == "approved"}
    assert exported == approved


@pytest.mark.parametrize("form", ["jsonl", "csv-wide", "csv-long"])
def test_the_same_number_gives_the_same_bytes(decided, tmp_path, form):
    first, data = export(decided, tmp_path, form)
    decided.decide(decided.products[0], white="accept", wool="remove")
    decided.decide(decided.products[3], black="accept")
    again, same = export(decided, tmp_path, form, as_of=first.as_of)
    assert same == data
    assert again.sha256 == first.sha256
    assert export(decided, tmp_path, form)[1] != data, "the control: as of now it is another file"


def test_the_language_of_who_asks_changes_nothing(decided, tmp_path):
    from django.utils.translation import override

    _done, data = export(decided, tmp_path)
    with override("zh-hans"):
        assert export(decided, tmp_path)[1] == data


def test_long_csv_tells_rejections_too(decided, tmp_path):
    _done, data = export(decided, tmp_path, "csv-long")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert {(r["product_id"], r["tag"], r["state"]) for r in rows} == {
        ("P-0", "black", "approved"), ("P-0", "wool", "approved"), ("P-0", "cotton", "rejected"),
        ("P-1", "red", "rejected"), ("P-2", "white", "approved"), ("P-2", "leather", "approved"),
    }  # fmt: skip


@pytest.mark.parametrize(("form", "as_of"), [("pdf", None), ("jsonl", 10**6), ("jsonl", -1)])
def test_what_cannot_be_written_is_refused(decided, tmp_path, form, as_of):
    with pytest.raises(Refused):
        export_file(catalogue=decided.catalogue, format=form, out=tmp_path / "out", as_of=as_of)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_not_there(decided, tmp_path):
    out = tmp_path / "out"
    out.write_text("yesterday's")

    def fail(done, total):
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        export_file(catalogue=decided.catalogue, format="jsonl", out=out, progress=fail)
    assert out.read_text() == "yesterday's"
    assert [p.name for p in tmp_path.iterdir()] == ["out"], "nothing half-written stays"


def test_a_place_that_cannot_be_written_is_said(decided, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be written"):
        export_file(catalogue=decided.catalogue, format="jsonl", out=tmp_path / "file" / "out")


def test_a_request_is_a_job_and_its_file_has_a_manifest(decided, settings, tmp_path):
    settings.EXPORTS_ROOT = tmp_path
    batch = request_export(catalogue=decided.catalogue, user=decided.people["viewer"], format="csv-wide")
    job = Job.objects.get(kind="export")
    assert (batch.job, job.queue, job.params) == (job, "io", {"export": str(batch.pk)})
    assert AuditEvent.objects.get(word="exported").user == decided.people["viewer"]
    ticks = []
    write_export(batch=batch, progress=lambda done, total: ticks.append((done, total)))
    assert ticks[-1] == (3, 3)
    batch.refresh_from_db()
    data = (tmp_path / batch.path).read_bytes()
    manifest = json.loads((tmp_path / batch.path).with_name(f"{batch.pk}.manifest.json").read_text())
    assert manifest == {
        "catalogue": "shop", "format": "csv-wide", "as_of": last_seq(decided.catalogue), "rows": 3,
        "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip
    assert (batch.rows, batch.bytes, batch.sha256) == (3, len(data), manifest["sha256"])


def test_the_commands(decided, tmp_path):
    out = io.StringIO()
    call_command("export_tags", "shop", "--format", "jsonl", "--out", str(tmp_path / "x"), "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert set(said) == {"rows", "as_of", "sha256", "seconds"}
    assert said["sha256"] == hashlib.sha256(Path(tmp_path / "x").read_bytes()).hexdigest()
    out = io.StringIO()
    call_command("changes", "shop", "--after", "1", stdout=out)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == list(all_changes(decided.catalogue, 1))
    with pytest.raises(CommandError):
        call_command("export_tags", "shop", "--format", "pdf", "--out", str(tmp_path / "x"))


def test_cost_grows_with_pages_not_with_products(decided, tmp_path, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr("annotations.queries.feed.PRODUCTS_AT_ONCE", 100)
    with django_assert_num_queries(5):  # the counter, how many, a page, its changes, the empty page after it
        export(decided, tmp_path)
