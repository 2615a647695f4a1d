"""Tag lists in: what somebody wrote becomes facets and tags, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotations import sample
from annotations.actions.errors import Refused
from annotations.actions.import_tags import import_tags
from annotations.models import AuditEvent, Catalogue, Event, Facet, ImportBatch, Tag, TaxonomyRevision


@pytest.fixture
def catalogue(db: None) -> Catalogue:
    return Catalogue.objects.create(slug="day", name="Day", languages=["en", "zh-hans"])


TABLE = """facet,facet zh-hans,tag,label zh-hans,synonyms,parent,kind
Colour,颜色,Black,黑色,jet|onyx,,single
Colour,颜色,Navy,藏青,,Blue,single
Colour,颜色,Blue,蓝色,,,single
Material,材质,Wool,羊毛,,Fleece,
"""


def test_a_table_becomes_facets_and_tags(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(TABLE)
    report = import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    assert (report.facets, report.tags, report.new_tags, report.problems) == (2, 4, 4, 1)
    assert [(p.file, p.line, p.code, p.value) for p in report.problem_list] == [("tags.csv", 5, "bad-parent", "Fleece")]
    colour = Facet.objects.get(slug="colour")
    assert (colour.labels, colour.kind) == ({"en": "Colour", "zh-hans": "颜色"}, "single")
    black, navy, blue = colour.tags.all()
    assert (black.slug, black.labels, black.synonyms) == (
        "black",
        {"en": "Black", "zh-hans": "黑色"},
        {"en": ["jet", "onyx"]},
    )
    assert navy.parent == blue
    before = list(Tag.objects.values())
    again = import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    assert (again.new_facets, again.new_tags, again.changed) == (0, 0, 0)
    assert list(Tag.objects.values()) == before


def test_words_join_the_tags_that_are_there(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(TABLE)
    import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    (tmp_path / "more.csv").write_text("facet,tag,synonyms\n颜色,黑色,ebony\ncolour,BLACK,coal\ncolour,Green,\n")
    batch = ImportBatch.objects.create(catalogue=catalogue, kind="tags", file_name="more.csv")
    report = import_tags(catalogue=catalogue, path=tmp_path / "more.csv", user=None, batch=batch)
    assert (report.new_facets, report.new_tags, report.changed) == (0, 1, 1)
    assert set(Tag.objects.get(slug="black").synonyms["en"]) >= {"jet", "onyx", "ebony", "coal"}
    assert Facet.objects.get(slug="colour").tags.last().slug == "green"
    batch.refresh_from_db()
    assert (batch.rows, batch.created, batch.updated, batch.problem_count) == (2, 1, 1, 0)
    assert batch.finished_at is not None


@pytest.mark.parametrize(("content", "code"), [("", "file-empty"), ("a,b\n1,2\n", "file-no-tags")])
def test_a_bad_list_is_refused_before_anything_is_written(
    catalogue: Catalogue, tmp_path: Path, content: str, code: str
) -> None:
    (tmp_path / "tags.csv").write_text(content)
    with pytest.raises(Refused) as refusal:
        import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    assert refusal.value.code == code
    assert not TaxonomyRevision.objects.exists()
    assert not AuditEvent.objects.filter(word=Event.TAXONOMY_CHANGED).exists()


def test_the_sample_taxonomy_goes_in_whole(catalogue: Catalogue) -> None:
    report = import_tags(catalogue=catalogue, path=sample.TAXONOMY_FILE, user=None)
    written = sample.taxonomy()["facets"]
    assert report.problems == 0
    assert list(Facet.objects.values_list("slug", flat=True)) == [f["slug"] for f in written]
    for facet in written:
        stored = Facet.objects.get(slug=facet["slug"])
        assert (stored.labels, stored.kind, stored.variant_axis) == (
            facet["labels"],
            facet["kind"],
            facet["variant_axis"],
        )
        assert stored.categories == facet["categories"]
        assert [t.slug for t in stored.tags.all()] == [t["slug"] for t in facet["tags"]]
        assert [t.labels for t in stored.tags.all()] == [t["labels"] for t in facet["tags"]]


def test_two_names_of_one_facet_in_one_list_are_one_facet(catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("facet,facet en,tag\n颜色,Colour,black\nColour,,red\ncolour,,Black\n颜色,,green\n")
    report = import_tags(catalogue=catalogue, path=file, user=None)
    assert (report.new_facets, report.new_tags) == (1, 3)
    assert list(Tag.objects.values_list("slug", "position")) == [("black", 0), ("green", 1), ("red", 2)]
