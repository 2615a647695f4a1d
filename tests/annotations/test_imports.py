"""Products in: exact counts, bad rows as problems, bad files refused, and nothing doubled by stopping half-way."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from PIL import Image

from annotations.actions import row_tags
from annotations.actions.errors import Refused
from annotations.actions.imports import import_products, upsert_products
from annotations.models import (
    AuditEvent,
    Catalogue,
    Decision,
    Event,
    ImportBatch,
    ImportProblem,
    Job,
    Picture,
    Product,
    QueueItem,
    Suggestion,
)
from annotations.queries.standing import differences
from tests.annotations.conftest import World

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def catalogue(db: None) -> Catalogue:
    return Catalogue.objects.create(slug="day", name="Day", languages=["en"])


@pytest.fixture
def media(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def some(n: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"S{i}", "title": f"Coat {i}", "category": "Fashion/Coats", **more} for i in range(n)]


def counts(batch: ImportBatch) -> tuple[int, int, int, int, int, int]:
    return batch.rows, batch.created, batch.updated, batch.unchanged, batch.archived, batch.problem_count


def test_a_file_goes_in_once(catalogue: Catalogue, tmp_path: Path) -> None:
    rows = some(3, attributes={"material": ["Wool"]}, group="F1", price="12")
    file = jsonl(tmp_path / "a.jsonl", rows)
    assert counts(import_products(catalogue=catalogue, path=file)) == (3, 3, 0, 0, 0, 0)
    product = Product.objects.get(external_id="S1")
    assert (product.title, product.category, product.family) == ("Coat 1", "Fashion/Coats", "F1")
    assert (product.attributes, product.extra, product.revision) == ({"material": ["Wool"]}, {"price": "12"}, 1)
    assert set(QueueItem.objects.values_list("status", "version")) == {("new", 0)}
    assert QueueItem.objects.count() == 3
    event = AuditEvent.objects.get(word=Event.PRODUCTS_IMPORTED)
    assert (event.target, event.data["created"]) == ("a.jsonl", 3)
    assert Job.objects.filter(kind="refit").count() == 1

    Job.objects.all().delete()
    assert counts(import_products(catalogue=catalogue, path=file)) == (3, 0, 0, 3, 0, 0)
    assert not Job.objects.exists()  # nothing changed, nothing to learn
    rows[1]["title"] = "Cape"
    again = import_products(catalogue=catalogue, path=jsonl(file, rows))
    assert counts(again) == (3, 0, 1, 2, 0, 0)
    changed = Product.objects.get(external_id="S1")
    assert (changed.pk, changed.title, changed.revision) == (product.pk, "Cape", 2)
    assert changed.text_hash != product.text_hash
    assert changed.created_at == product.created_at
    assert Product.objects.filter(revision=1).count() == 2
    assert QueueItem.objects.count() == 3


def test_the_order_of_attributes_changes_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    import_products(catalogue=catalogue, path=jsonl(tmp_path / "a.jsonl", some(1, attributes={"a": ["1"], "b": ["2"]})))
    again = import_products(
        catalogue=catalogue, path=jsonl(tmp_path / "a.jsonl", some(1, attributes={"b": ["2"], "a": ["1"]}))
    )
    assert again.unchanged == 1


@pytest.mark.long
def test_a_dry_run_counts_exactly_and_changes_nothing(catalogue: Catalogue, tmp_path: Path, media: Path) -> None:
    import_products(catalogue=catalogue, path=jsonl(tmp_path / "a.jsonl", some(5)))
    before = list(Product.objects.order_by("pk").values())
    jobs, events = Job.objects.count(), AuditEvent.objects.count()
    rows = [*some(3), {"id": "S3", "title": "Other", "image": "one.png"}, {"id": "new", "title": "New"}, {"id": "new"}]
    file = jsonl(tmp_path / "b.jsonl", rows)
    pictures = zip_of(tmp_path, {"one.png": picture("PNG")})
    dry = import_products(catalogue=catalogue, path=file, dry_run=True, archive_missing=True, pictures=pictures)
    assert counts(dry)[:5] == (6, 1, 1, 3, 1)
    assert list(Product.objects.order_by("pk").values()) == before
    assert (Job.objects.count(), AuditEvent.objects.count(), Picture.objects.count()) == (jobs, events, 0)
    assert not list(media.rglob("*.jpg")) if media.exists() else True
    real = import_products(catalogue=catalogue, path=file, archive_missing=True, pictures=pictures)
    assert counts(real) == counts(dry)
    assert sorted(real.problems.values_list("line", "code")) == sorted(dry.problems.values_list("line", "code"))  # type: ignore[attr-defined]


def test_three_bad_rows_among_a_hundred(catalogue: Catalogue, tmp_path: Path) -> None:
    lines = [f"{n};Coat {n};{n} EUR".encode() for n in range(97)]
    lines[10:10] = [b";no id;1 EUR", b"bad;caf\xe9 \xff\xfe;2 EUR"]
    lines.append(b"5;twice;3 EUR")
    file = tmp_path / "hundred.csv"
    file.write_bytes(b"id;title;size\n" + b"\n".join(lines) + "\nok;schön;1\n".encode())
    batch = import_products(catalogue=catalogue, path=file)
    assert batch.created == 98
    problems = list(batch.problems.order_by("line").values_list("file", "line", "column", "value", "code"))  # type: ignore[attr-defined]
    assert [p[:3] for p in problems] == [
        ("hundred.csv", 12, "id"),
        ("hundred.csv", 13, "title"),
        ("hundred.csv", 101, "id"),
    ]
    assert problems[2][3:] == ("5", "duplicate-id")
    assert Product.objects.get(external_id="5").title == "Coat 5"  # the first of two stays
    assert "line 7" in ImportProblem.objects.get(code="duplicate-id").message


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", b"", "file-empty"),
        ("header.csv", b"id,title\n", "file-no-rows"),
        ("binary.csv", bytes(range(256)) * 40, "file-binary"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "file-binary"),
        ("delimiter.csv", b"id^title\n1^Coat\n2^Cape\n", "file-one-column"),
        ("strange.csv", b"foo,bar\nx,y\n", "file-no-known-header"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_written(
    catalogue: Catalogue, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused) as refusal:
        import_products(catalogue=catalogue, path=tmp_path / name)
    assert refusal.value.code == code
    assert refusal.value.details == {"file": name}
    assert len(refusal.value.message) > 20
    assert (ImportBatch.objects.count(), Product.objects.count(), AuditEvent.objects.count()) == (0, 0, 0)


def test_a_broken_zip_is_refused_before_anything_is_written(catalogue: Catalogue, tmp_path: Path, media: Path) -> None:
    (tmp_path / "pictures.zip").write_bytes(b"PK\x03\x04 no zip at all")
    with pytest.raises(Refused) as refusal:
        import_products(
            catalogue=catalogue, path=jsonl(tmp_path / "a.jsonl", some(1)), pictures=tmp_path / "pictures.zip"
        )
    assert refusal.value.code == "file-broken-zip"
    assert (ImportBatch.objects.count(), Product.objects.count()) == (0, 0)
    assert not list(media.iterdir())  # nothing left lying about


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), colour: str = "navy") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def zip_of(folder: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return folder / "pictures.zip"


@pytest.mark.long
def test_pictures_are_reencoded_and_named_by_their_own_bytes(
    catalogue: Catalogue, tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    rows = [
        {"id": "1", "title": "a", "images": ["img/a.jpg", "img/b.png"]},
        {"id": "2", "title": "b", "image": "img/a.jpg"},
        {"id": "3", "title": "c", "image": "img/none.jpg"},
        {"id": "4", "title": "d", "image": "img/text.jpg"},
        {"id": "5", "title": "e"},
    ]
    files = {"img/a.jpg": picture(), "img/b.png": picture("PNG", (2000, 500), "red"), "img/text.jpg": b"<svg>"}
    arguments = {"path": jsonl(tmp_path / "a.jsonl", rows), "pictures": zip_of(tmp_path, files)}
    batch = import_products(catalogue=catalogue, **arguments)
    assert counts(batch) == (5, 5, 0, 0, 0, 2)
    said = batch.problems.order_by("line").values_list("line", "value", "code", "severity")  # type: ignore[attr-defined]
    assert list(said) == [
        (3, "img/none.jpg", "picture-missing", "warning"),
        (4, "img/text.jpg", "picture-kind", "warning"),
    ]
    shown = {p.external_id: p.pictures for p in Product.objects.all()}
    assert [len(shown[n]) for n in "12345"] == [2, 1, 0, 0, 0]
    assert shown["2"][0] == shown["1"][0]
    assert Picture.objects.count() == 2
    for row in Picture.objects.all():
        assert row.file == f"{row.sha256[:2]}/{row.sha256}.jpg"
        with Image.open(media / row.file) as full, Image.open(media / row.thumbnail) as small:
            assert (full.format, full.size) == ("JPEG", (row.width, row.height))
            assert max(full.size) <= 1600
            assert max(small.size) <= 320
    assert sorted(p.name for p in media.iterdir()) == sorted(
        {sha[:2] for sha in Picture.objects.values_list("sha256", flat=True)}
    )

    with monkeypatch.context() as patch:
        patch.setattr("annotations.actions.pictures._keep", lambda stored, passing: made.extend(stored))
        again = import_products(catalogue=catalogue, **arguments)
    assert counts(again) == (5, 0, 0, 5, 0, 2)
    assert made == []  # known by the bytes that were sent: nothing was decoded again
    without = import_products(catalogue=catalogue, path=arguments["path"])
    assert counts(without) == (5, 0, 0, 5, 0, 0)
    assert {p.external_id: p.pictures for p in Product.objects.all()} == shown
    files["img/a.jpg"] = picture(colour="green")
    changed = import_products(catalogue=catalogue, path=arguments["path"], pictures=zip_of(tmp_path, files))
    assert (changed.updated, changed.unchanged) == (2, 3)


def test_what_is_missing_is_archived_only_when_asked_and_comes_back(catalogue: Catalogue, tmp_path: Path) -> None:
    import_products(catalogue=catalogue, path=jsonl(tmp_path / "a.jsonl", some(600)))
    fewer = jsonl(tmp_path / "b.jsonl", some(590))
    assert import_products(catalogue=catalogue, path=fewer).archived == 0
    assert import_products(catalogue=catalogue, path=fewer, archive_missing=True).archived == 10
    assert Product.objects.filter(archived_at=None).count() == 590
    back = import_products(catalogue=catalogue, path=tmp_path / "a.jsonl", archive_missing=True)
    assert (back.updated, back.unchanged, back.archived) == (10, 590, 0)
    assert not Product.objects.exclude(archived_at=None).exists()


def test_nothing_is_archived_when_rows_could_not_be_read(catalogue: Catalogue, tmp_path: Path) -> None:
    import_products(catalogue=catalogue, path=jsonl(tmp_path / "a.jsonl", some(5)))
    file = tmp_path / "b.jsonl"
    file.write_text('{"id": "S0", "title": "a"}\n{"id": "S1", "title": \n')
    batch = import_products(catalogue=catalogue, path=file, archive_missing=True)
    assert batch.archived == 0
    assert [p.code for p in batch.problems.order_by("line")] == ["not-archived", "broken-json"]  # type: ignore[attr-defined]
    assert Product.objects.filter(archived_at=None).count() == 5


class Stop(Exception):
    pass


def stop_after(rows: int) -> Any:
    def progress(done: int, total: int, step: str) -> None:
        if done >= rows:
            raise Stop

    return progress


def test_an_import_that_was_stopped_goes_on_with_exact_counts(catalogue: Catalogue, tmp_path: Path) -> None:
    rows = some(1300)
    rows[700:700] = [{"title": "no id"}, {"id": "S3", "title": "twice"}]
    file = jsonl(tmp_path / "a.jsonl", rows)
    batch = ImportBatch.objects.create(catalogue=catalogue, file_name="a.jsonl")
    with pytest.raises(Stop):
        import_products(catalogue=catalogue, path=file, batch=batch, progress=stop_after(900))
    stopped = ImportBatch.objects.get()
    # how many rows a transaction holds is the clock's to say; what the batch counts is what is there
    assert stopped.finished_at is None
    assert 900 <= stopped.rows < 1300
    assert (stopped.position, stopped.created) == (stopped.rows + 1, stopped.rows - 1)
    assert Product.objects.count() == stopped.created
    done = import_products(catalogue=catalogue, path=file, batch=stopped)
    assert counts(done) == (1301, 1300, 0, 0, 0, 2)
    assert Product.objects.count() == QueueItem.objects.count() == 1300
    assert sorted(p.code for p in ImportProblem.objects.all()) == ["duplicate-id", "missing-id"]
    assert done.finished_at is not None


@pytest.mark.long
def test_tags_of_the_transaction_before_the_stop_are_not_forgotten(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = jsonl(tmp_path / "a.jsonl", some(700, attributes={"material": ["Wool"], "colour": ["red"]}))
    batch = ImportBatch.objects.create(catalogue=world.catalogue, file_name="a.jsonl", attributes_as="approved")

    def killed(**_: Any) -> int:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(row_tags, "approve", killed)
        with pytest.raises(Stop):
            import_products(catalogue=world.catalogue, path=file, batch=batch)
    assert 0 < batch.position < 700 and Decision.objects.count() == 0
    done = import_products(
        catalogue=world.catalogue, path=file, batch=ImportBatch.objects.get(), attributes_as="approved"
    )
    assert done.created == 700
    assert Decision.objects.filter(verdict="accept").count() == 1400
    assert Decision.objects.filter(verdict="complete").count() == 1400
    assert differences(world.catalogue) == []


def test_approved_attributes_are_decisions_once(world: World, tmp_path: Path) -> None:
    rows = [
        {"id": "A", "title": "a", "attributes": {"material": ["Wool", "棉"], "Colour": ["red"]}},
        {"id": "B", "title": "b", "attributes": {"colour": ["red", "black"], "mood": ["calm"]}, "absent": ["material"]},
        {"id": "C", "title": "c", "attributes": {"material": ["felt"]}},
    ]
    file = jsonl(tmp_path / "a.jsonl", rows)
    lead = world.people["lead"]
    batch = import_products(catalogue=world.catalogue, path=file, attributes_as="approved", user=lead)
    stand = {name: world.standing(Product.objects.get(external_id=name)) for name in "ABC"}
    assert stand == {"A": {"wool": "approved", "cotton": "approved", "red": "approved"}, "B": {}, "C": {}}
    done = {
        name: set(Product.objects.get(external_id=name).completions.values_list("facet__slug", flat=True))
        for name in "ABC"
    }  # type: ignore[attr-defined]
    assert done == {"A": {"material", "colour"}, "B": {"material"}, "C": set()}
    said = batch.problems.order_by("line", "column").values_list("line", "column", "code")  # type: ignore[attr-defined]
    assert list(said) == [
        (2, "colour", "several-values"),
        (2, "mood", "unknown-facet"),
        (3, "material", "unknown-tag"),
    ]
    assert set(Decision.objects.values_list("reviewer", "role")) == {(lead.pk, "lead")}
    n = Decision.objects.count()
    import_products(catalogue=world.catalogue, path=file, attributes_as="approved", user=lead)
    assert Decision.objects.count() == n
    assert differences(world.catalogue) == []


def test_attributes_as_suggestions_replace_what_the_source_claimed_before(world: World, tmp_path: Path) -> None:
    text = "A warm coat of wool."
    row = {"id": "A", "title": "a", "description": text, "attributes": {"material": ["wool", "cotton"]}}
    row["spans"] = [{"start": 15, "end": 19, "facet": "material", "text": "wool", "field": "description"}]
    file = jsonl(tmp_path / "a.jsonl", [row])
    import_products(catalogue=world.catalogue, path=file, attributes_as="suggestions")
    stored = {s.tag.slug: s for s in Suggestion.objects.select_related("tag")}
    assert {slug: (s.source, s.band) for slug, s in stored.items()} == {
        "wool": ("source", "likely"),
        "cotton": ("source", "likely"),
    }
    assert stored["wool"].spans == [{"field": "description", "start": 15, "end": 19}]
    assert stored["cotton"].spans == []
    row["attributes"] = {"material": ["leather"]}
    import_products(catalogue=world.catalogue, path=jsonl(file, [row]), attributes_as="suggestions")
    assert list(Suggestion.objects.values_list("tag__slug", flat=True)) == ["leather"]
    assert not Decision.objects.exists()


def test_a_program_pushes_products_and_hears_about_each(world: World) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "P-0", "title": "Changed"},
        {"id": "N1", "title": "New", "attributes": {"material": ["Wool"]}},
        {"title": "no id"},
        {"id": "N1", "title": "again"},
        {"id": 7, "title": "a number for an id", "attributes": "no object"},
    ]
    answers = upsert_products(catalogue=world.catalogue, rows=rows, user=world.people["lead"])
    assert [(a.id, a.status) for a in answers] == [
        ("P-0", "updated"),
        ("N1", "created"),
        ("", "refused"),
        ("N1", "refused"),
        ("7", "created"),
    ]
    assert [[p["code"] for p in a.problems] for a in answers] == [
        [],
        [],
        ["missing-id"],
        ["duplicate-id"],
        ["bad-value"],
    ]
    again = upsert_products(catalogue=world.catalogue, rows=rows[:2], user=None)
    assert [a.status for a in again] == ["unchanged", "unchanged"]
    with pytest.raises(Refused):
        upsert_products(catalogue=world.catalogue, rows=[{"id": str(n)} for n in range(1001)], user=None)


def test_an_id_of_another_catalogue_is_another_product(world: World, tmp_path: Path) -> None:
    other = Catalogue.objects.create(slug="other", name="Other")
    upsert_products(catalogue=other, rows=[{"id": "P-0", "title": "Mine"}], user=None)
    assert Product.objects.get(catalogue=world.catalogue, external_id="P-0").title == "Black wool coat 0"
    assert Product.objects.filter(external_id="P-0").count() == 2


def test_problems_are_counted_beyond_those_that_are_kept(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotations.actions.import_problems.KEPT", 5)
    file = jsonl(tmp_path / "a.jsonl", some(2) + [{"title": "no id"}] * 600)
    batch = import_products(catalogue=catalogue, path=file)
    assert (batch.problem_count, batch.created, ImportProblem.objects.count()) == (600, 2, 5)


def test_queries_grow_with_transactions_and_not_with_rows(
    catalogue: Catalogue, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    import_products(catalogue=catalogue, path=jsonl(tmp_path / "a.jsonl", some(1000)))
    with django_assert_max_num_queries(20):
        batch = import_products(catalogue=catalogue, path=tmp_path / "a.jsonl")
    assert batch.unchanged == 1000


@pytest.mark.long
@pytest.mark.shared
def test_a_real_catalogue_with_pictures(catalogue: Catalogue, shared: Path, media: Path) -> None:
    folder = shared / "magento_luma_en"
    first = import_products(catalogue=catalogue, path=folder / "products.jsonl.gz", pictures=folder / "images.zip")
    assert counts(first) == (383, 383, 0, 0, 0, 0)
    assert not Product.objects.filter(pictures=[]).exists()
    assert len(list(media.rglob("*.jpg"))) == 2 * Picture.objects.count()
    again = import_products(catalogue=catalogue, path=folder / "products.jsonl.gz", pictures=folder / "images.zip")
    assert counts(again) == (383, 0, 0, 383, 0, 0)
    table = import_products(catalogue=catalogue, path=folder / "raw_semicolon_cp1252.csv", dry_run=True)
    assert (table.rows, table.updated) == (383, 383)


def manage(*arguments: str, home: Path) -> subprocess.Popen[bytes]:
    """A command in a process of its own on the test's database."""
    known = connection.settings_dict
    url = (
        f"sqlite:////{str(known['NAME']).lstrip('/')}"
        if connection.vendor == "sqlite"
        else f"postgresql://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT'] or 5432}/{known['NAME']}"
    )
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "TAGSTUDIO_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "tagstudio.settings.dev",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_kill_9_in_the_middle_and_again_gives_exact_counts(tmp_path: Path) -> None:
    catalogue = Catalogue.objects.create(slug="day", name="Day")
    file = jsonl(tmp_path / "a.jsonl", some(20_000, attributes={"material": ["Wool"]}, description="warm " * 20))
    killed = manage("import_products", "day", str(file), "--json", home=tmp_path)
    deadline = time.monotonic() + 60
    while Product.objects.count() < 1500 and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    _answer, said = killed.communicate()
    half = Product.objects.filter(catalogue=catalogue).count()
    assert 1500 <= half < 20_000, said.decode()
    assert QueueItem.objects.count() == half
    stopped = ImportBatch.objects.get()
    assert (stopped.created, stopped.finished_at) == (half, None)  # what is counted is what is there
    whole = manage("import_products", "day", str(file), "--json", home=tmp_path)
    answer, said = whole.communicate(timeout=120)
    assert whole.returncode == 0, said.decode()
    told = json.loads(answer)
    assert (told["created"], told["unchanged"], told["problems"]) == (20_000 - half, half, 0)
    assert Product.objects.count() == QueueItem.objects.count() == 20_000
