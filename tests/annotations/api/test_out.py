"""The feed and the exports through the API, ranges included."""

from __future__ import annotations

import uuid

import pytest

from annotations.actions.exports import write_export
from annotations.models import ExportBatch
from annotations.queries.feed import all_changes
from tests.annotations.api.test_auth import is_problem


@pytest.fixture
def decided(world):
    for product, colour in zip(world.products, ("black", "red", "white", "black"), strict=True):
        world.decide(product, **{colour: "accept", "wool": "reject"})
    return world


def test_the_feed_in_pages_is_the_feed(decided, viewer):
    told, after = [], 0
    while True:
        part = viewer.get(f"changes/?after={after}&limit=3").json()
        if not part["changes"]:
            assert part["next"] == after
            break
        told += part["changes"]
        after = part["next"]
    assert told == list(all_changes(decided.catalogue))
    assert len(told) == 8


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "limit=0", "limit=100000", "since=3", "after=99999999999999999999", "after="]
)
def test_the_feed_refuses_what_it_does_not_know(decided, viewer, query):
    is_problem(viewer.get(f"changes/?{query}"), 400, "invalid")


def test_an_export_from_request_to_file(decided, viewer, settings, tmp_path):
    settings.EXPORTS_ROOT = tmp_path
    asked = viewer.post("exports/", {"format": "jsonl"})
    assert asked.status_code == 202
    one = asked.json()
    assert one["job"]["state"] == "queued"
    assert one["download"] is None
    is_problem(viewer.get(f"exports/{one['id']}/download/"), 409, "not_ready")
    write_export(batch=ExportBatch.objects.get(), progress=lambda done, total: None)
    one = viewer.get(f"exports/{one['id']}/").json()
    assert one["rows"] == 4
    whole = viewer.get(f"/api/v1/catalogues/shop/exports/{one['id']}/download/")
    assert one["download"].endswith(whole.request["PATH_INFO"])
    data = b"".join(whole.streaming_content)
    assert len(data) == one["bytes"] == int(whole["Content-Length"])
    assert whole["ETag"] == f'"{one["sha256"]}"'
    assert whole["Accept-Ranges"] == "bytes"
    assert whole["X-Content-Type-Options"] == "nosniff"
    assert whole["Content-Disposition"] == f'attachment; filename="shop-{one["as_of"]}-jsonl.jsonl"'
    n = len(data)
    for header, first, last in (
        ("bytes=0-9", 0, 9), ("bytes=10-", 10, n - 1), ("bytes=-5", n - 5, n - 1), (f"bytes=5-{n + 99}", 5, n - 1),
        (f"bytes=-{n + 9}", 0, n - 1), ("bytes=0-0", 0, 0),
    ):  # fmt: skip
        part = viewer.get(f"exports/{one['id']}/download/", Range=header)
        assert part.status_code == 206, header
        assert b"".join(part.streaming_content) == data[first : last + 1]
        assert part["Content-Range"] == f"bytes {first}-{last}/{n}"
    for header in (f"bytes={n}-", "bytes=-0"):
        beyond = viewer.get(f"exports/{one['id']}/download/", Range=header)
        assert beyond.status_code == 416
        assert beyond["Content-Range"] == f"bytes */{n}"
    for header in ("bytes=5-2", "bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes=a-b", "bytes=" + "9" * 50 + "-"):
        again = viewer.get(f"exports/{one['id']}/download/", Range=header)
        assert again.status_code == 200, header
        assert b"".join(again.streaming_content) == data
    stale = viewer.get(f"exports/{one['id']}/download/", Range="bytes=0-9", **{"If-Range": '"other"'})
    assert stale.status_code == 200, "the file is another one by now: all of it"
    assert viewer.get(f"exports/{one['id']}/download/", **{"If-None-Match": whole["ETag"]}).status_code == 304


def test_what_cannot_be_exported(decided, viewer):
    is_problem(viewer.post("exports/", {"format": "pdf"}), 400, "invalid")
    is_problem(viewer.post("exports/", {"format": "jsonl", "as_of": 10**9}), 422, "as_of")
    is_problem(viewer.get(f"exports/{uuid.uuid4()}/"), 404, "not_found")


def test_a_job_is_seen_by_members_only(decided, viewer):
    from annotations.models import Catalogue, Job, User
    from tests.annotations.api.conftest import program

    job = viewer.post("exports/", {"format": "jsonl"}).json()["job"]
    assert viewer.get(f"/api/v1/jobs/{job['id']}/").json()["kind"] == "export"
    stranger = program(User.objects.create_user(username="stranger", password="a long enough phrase"))
    is_problem(stranger.get(f"/api/v1/jobs/{job['id']}/"), 404, "not_found")
    other = Job.objects.create(kind="x", queue="io", catalogue=Catalogue.objects.create(slug="other", name="Other"))
    house = Job.objects.create(kind="sweep", queue="io")
    for foreign in (other, house):
        is_problem(viewer.get(f"/api/v1/jobs/{foreign.pk}/"), 404, "not_found")
