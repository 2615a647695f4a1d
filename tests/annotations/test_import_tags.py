"""Tag lists in: what somebody wrote becomes facets and tags, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotations import sample
from annotations.actions import reshape, tag_plans, taxonomy
from annotations.actions.errors import Refused
from annotations.actions.import_tags import import_tags
from annotations.actions.tag_foresight import foresee
from annotations.actions.tag_plans import FacetPlan, TagPlan, TagsImported, apply_plans
from annotations.models import AuditEvent, Catalogue, Event, Facet, ImportBatch, Job, Tag, TaxonomyRevision
from annotations.queries.taxonomy import search_tags
from tests.annotations.conftest import World


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


def test_two_facets_that_share_a_name_in_one_language_stay_two(catalogue: Catalogue) -> None:
    """As the gauges and meters of a published taxonomy do, both "Tipo de medidor"; a second load adds nothing."""
    plans = [
        FacetPlan(name, {"en": name, "zh-hans": "仪表类型"}, [TagPlan(tag, {"en": tag})])
        for name, tag in (("Gauge type", "Odometer"), ("Meter type", "Digital"))
    ]
    told, trials = [], []
    for _time in range(2):
        trials.append(foresee(catalogue=catalogue, plans=plans))
        told.append(
            apply_plans(catalogue=catalogue, plans=plans, user=None, word="tags imported", report=TagsImported())
        )
    assert [one.new_tags for one in told] == [2, 0]
    assert [(trial.new_facets, trial.new_tags) for trial in trials] == [(2, 2), (0, 0)], "as the trial said"
    assert list(Tag.objects.order_by("pk").values_list("facet__slug", "slug")) == [
        ("gauge-type", "odometer"), ("meter-type", "digital"),
    ]  # fmt: skip


def test_two_names_of_one_facet_in_one_list_are_one_facet(catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("facet,facet en,tag\n颜色,Colour,black\nColour,,red\ncolour,,Black\n颜色,,green\n")
    report = import_tags(catalogue=catalogue, path=file, user=None)
    assert (report.new_facets, report.new_tags) == (1, 3)
    assert list(Tag.objects.values_list("slug", "position")) == [("black", 0), ("green", 1), ("red", 2)]


KINDS = """facet,kind,unit,tag
Weight,numeric,kg,1500 g
Weight,,,1.5 kg
Weight,,,2
Weight,,,heavy
Depth,numeric,,3 cm
Lined,yes/no,,
Lined,,,ja
Lined,,,maybe
Brand,open,,Acme
"""


def test_every_kind_of_facet_comes_with_its_unit(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(KINDS)
    report = import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    facets = {f.slug: (f.kind, f.unit) for f in Facet.objects.all()}
    assert facets["weight"] == ("numeric", "kg") and facets["brand"] == ("open", "")
    assert facets["depth"] == ("multi", "") and facets["lined"] == ("boolean", "")
    numbers = list(Tag.objects.filter(facet__slug="weight").order_by("number").values_list("number", flat=True))
    assert numbers == [1.5, 2.0]
    assert set(Tag.objects.filter(facet__slug="lined").values_list("slug", flat=True)) == {"yes", "no"}
    said = [(p.code, p.value) for p in report.problem_list]
    assert ("not-a-number", "heavy") in said and ("no-unit", "Depth") in said and ("not-boolean", "maybe") in said
    again = import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    assert (again.new_facets, again.new_tags) == (0, 0)


def test_a_list_is_undone_as_a_whole_and_may_come_back(world: World, tmp_path: Path) -> None:
    catalogue = world.catalogue
    table = TABLE + "Colour,颜色,Black,黑色,jet black,,single\n"  # the catalogue has a black already
    (tmp_path / "tags.csv").write_text(table)

    def live() -> list[tuple[str, str, str]]:
        tags = Tag.objects.live().filter(facet__catalogue=catalogue, facet__retired_at=None)
        return sorted((t.facet.slug, t.slug, str(t.synonyms)) for t in tags.select_related("facet"))

    before = live()
    first = import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    after = live()
    assert first.new_tags == 2 and after != before
    revision = TaxonomyRevision.objects.get(number=first.revision)
    undone = reshape.undo_revision(revision=revision, by=world.by("lead"))
    assert live() == before and not undone.revision.pending
    assert [t.slug for t in search_tags(catalogue, "navy")] == []
    back = reshape.undo_revision(revision=undone.revision, by=world.by("lead"))
    assert live() == after and [t.slug for t in search_tags(catalogue, "navy")] == ["navy"]
    reshape.undo_revision(revision=back.revision, by=world.by("lead"))
    assert live() == before
    again = import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)  # the same rows, and no navy-2
    assert again.new_tags == 2 and live() == after
    taxonomy.retire_tag(tag=Tag.objects.select_related("facet__catalogue").get(slug="navy"), user=None)
    kept = import_tags(catalogue=catalogue, path=tmp_path / "tags.csv", user=None)
    assert ("retired-tag", "Navy") in [(p.code, p.value) for p in kept.problem_list]
    assert ("colour", "navy") not in [row[:2] for row in live()]


def test_a_list_that_was_stopped_half_way_goes_on(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_plans, "TAGS_AT_ONCE", 1)
    plans = [FacetPlan(name, {"en": name}, [TagPlan("A", {"en": "A"}), TagPlan("B", {"en": "B"})]) for name in "XYZ"]

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise Stopped

    begun: list[TaxonomyRevision] = []
    with pytest.raises(Stopped):
        apply_plans(
            catalogue=catalogue, plans=plans, user=None, word="tags imported", report=TagsImported(), progress=stop,
            begun=begun.append,
        )  # fmt: skip
    assert Tag.objects.count() == 4
    report = apply_plans(
        catalogue=catalogue, plans=plans, user=None, word="tags imported", report=TagsImported(),
        going_on=TaxonomyRevision.objects.get(),
    )  # fmt: skip
    assert (report.new_facets, report.new_tags, Tag.objects.count()) == (3, 6, 6)
    assert TaxonomyRevision.objects.count() == 1


def test_what_learns_is_asked_again_when_all_of_a_list_is_there(catalogue: Catalogue) -> None:
    """A worker may be done with the first request before the tags are in."""

    def learned(done: int, total: int) -> None:
        Job.objects.filter(kind="refit").update(state=Job.State.DONE)

    plans = [FacetPlan("X", {"en": "X"}, [TagPlan("A", {"en": "A"})])]
    apply_plans(
        catalogue=catalogue, plans=plans, user=None, word="tags imported", report=TagsImported(), progress=learned
    )
    assert Job.objects.filter(kind="refit", state=Job.State.QUEUED).count() == 1


def test_a_large_facet_goes_in_parts_and_stays_one_tree(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children stand before their parents in the list, and in another part."""
    names = ["Boots", "Shoes", "Wear", "Sandals", "Home"]
    parents = {"Boots": "Shoes", "Shoes": "Wear", "Sandals": "Shoes"}

    def load(slug: str, at_once: int) -> dict[str, tuple[str | None, int]]:
        monkeypatch.setattr(tag_plans, "TAGS_AT_ONCE", at_once)
        plan = FacetPlan(slug, {"en": slug}, [TagPlan(n, {"en": n}, parent=parents.get(n, "")) for n in names])
        report = TagsImported()
        for _ in range(2):
            apply_plans(catalogue=catalogue, plans=[plan], user=None, word="tags imported", report=report)
        assert report.tags == 10 and report.problems == 0
        rows = Tag.objects.filter(facet__slug=slug).values_list("slug", "parent__slug", "position")
        return {slug: (parent, position) for slug, parent, position in rows}

    assert load("whole", 100) == load("parts", 2)
