"""Merging, splitting, retiring, and undoing each: what stands comes back exactly, and the feed alone tells it all."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.actions import reshape, reshape_work, taxonomy
from annotations.actions.errors import Conflict, Refused
from annotations.actions.tag_words import index_catalogue
from annotations.actions.undo import undo
from annotations.models import (
    Catalogue,
    Decision,
    FacetCompletion,
    Job,
    ProductTag,
    QueueItem,
    SplitItem,
    Tag,
    TaxonomyRevision,
)
from annotations.queries.feed import all_changes
from annotations.queries.standing import differences
from annotations.queries.taxonomy import Names, search_tags
from annotations.queries.taxonomy_changes import split_queue
from annotations.queries.touches import touches
from annotations.tasks.run import run_now
from tests.annotations.conftest import World


def picture(world: World) -> dict[str, Any]:
    """Everything that an undo has to bring back."""
    catalogue = world.catalogue
    return {
        "standing": sorted(ProductTag.objects.values_list("product", "tag", "state", "decision")),
        "complete": sorted(FacetCompletion.objects.values_list("product", "facet", "decision")),
        "status": sorted(QueueItem.objects.values_list("product", "status")),
        "tags": sorted(
            (t.slug, t.parent_id or 0, t.merged_into_id or 0, t.position, str(t.labels), str(t.synonyms))
            for t in Tag.objects.live().filter(facet__catalogue=catalogue)
        ),
        "feed": read(catalogue)[0],
    }


def read(catalogue: Catalogue) -> tuple[dict[Any, str], dict[Any, Any]]:
    """A reader who knows the feed and nothing else: what stands, and where tags went."""
    stands: dict[Any, str] = {}
    tags: dict[Any, Any] = {}
    seen = 0
    for line in all_changes(catalogue):
        assert line["seq"] > seen
        seen = line["seq"]
        if line.get("event"):
            for row in line["rows"]:
                tags.setdefault((row.pop("facet"), row.pop("tag")), {}).update(row)
        elif line["state"] == "removed":
            stands.pop((line["product"], line["facet"], line["tag"]), None)
        else:
            stands[line["product"], line["facet"], line["tag"]] = line["state"]
    return stands, tags


def stored(catalogue: Catalogue) -> dict[Any, str]:
    rows = ProductTag.objects.filter(product__catalogue=catalogue)
    return {
        (p, f, t): s
        for p, f, t, s in rows.values_list("product__external_id", "tag__facet__slug", "tag__slug", "state")
    }


@pytest.fixture
def decided(world: World) -> World:
    index_catalogue(catalogue=world.catalogue)
    first, second, third, fourth = world.products
    world.decide(first, cotton="accept", black="accept", complete="material colour")
    world.decide(second, cotton="accept", wool="accept")
    world.decide(third, cotton="reject", leather="accept")
    world.decide(fourth, cotton="accept", wool="reject", complete="material")
    return world


def merge(world: World, **more: Any) -> reshape.Reshaped:
    tag, into = (Tag.objects.select_related("facet__catalogue").get(slug=s) for s in ("cotton", "wool"))
    return reshape.merge_tags(tag=tag, into=into, by=world.by("lead"), **more)


def test_merging_moves_what_stands_and_the_names(decided: World) -> None:
    child = taxonomy.add_tag(
        facet=decided.facets["material"], labels={"en": "Jersey"}, user=None, parent=decided.tags["cotton"]
    )
    done = merge(decided)
    assert (done.products, done.job, done.revision.pending) == (4, None, False)
    first, second, third, fourth = decided.products
    assert decided.standing(first) == {"wool": "approved", "black": "approved"}
    assert decided.standing(second) == {"wool": "approved"}
    assert decided.standing(third) == {"wool": "rejected", "leather": "approved"}
    assert decided.standing(fourth) == {"wool": "approved"}
    report = done.revision.report
    assert (report["approved"], report["rejected"], report["both"], report["children"]) == (3, 1, 1, 1)
    assert (report["products"], report["decisions"]) == (4, 7)
    assert differences(decided.catalogue) == []
    names = Names.of(decided.catalogue)
    material = names.facet("material")
    assert material is not None
    assert names.tag(material, "cotton") == names.tag(material, "棉") == decided.tags["wool"]
    assert [t.slug for t in search_tags(decided.catalogue, "cott")] == ["wool"]
    child.refresh_from_db()
    assert child.parent == decided.tags["wool"]
    with pytest.raises(Refused):
        merge(decided)
    stands, tags = read(decided.catalogue)
    assert stands == stored(decided.catalogue)
    assert tags["material", "cotton"] == {"merged_into": "wool", "retired": True}
    assert tags["material", "jersey"]["parent"] == "wool"


def test_a_merge_is_nobodys_last_save(decided: World) -> None:
    decided.decide(decided.products[2], red="accept", role="lead")
    merge(decided)
    undone = undo(catalogue=decided.catalogue, by=decided.by("lead"))
    assert undone is not None and undone.products == (decided.products[2],) and undone.decisions == 1
    assert ProductTag.objects.filter(tag__slug="wool").count() == 4
    assert not Decision.objects.filter(input="taxonomy", blind=True).exists()


@pytest.mark.parametrize(
    "what", ["merge", "split", "rename", "retire", "move", "retire facet", "edit facet", "add", "add facet"]
)
def test_undone_exactly_and_again_and_back(decided: World, what: str) -> None:
    lead, by = decided.people["lead"], decided.by("lead")
    cotton, wool = (Tag.objects.select_related("facet__catalogue").get(slug=s) for s in ("cotton", "wool"))
    material = cotton.facet
    before = picture(decided)
    doing: dict[str, Any] = {
        "merge": lambda: merge(decided),
        "split": lambda: reshape.split_tag(tag=cotton, parts=[{"en": "Jersey"}, {"en": "Denim"}], by=by),
        "rename": lambda: taxonomy.rename_tag(tag=cotton, label="Pure cotton", user=lead),
        "retire": lambda: taxonomy.retire_tag(tag=cotton, user=lead),
        "move": lambda: taxonomy.move_tag(tag=wool, parent=cotton, user=lead),
        "retire facet": lambda: taxonomy.retire_facet(facet=material, user=lead),
        "edit facet": lambda: taxonomy.edit_facet(facet=material, labels={"en": "Stuff"}, categories=["X"], user=lead),
        "add facet": lambda: taxonomy.add_facet(catalogue=decided.catalogue, labels={"en": "Fit"}, user=lead),
        "add": lambda: taxonomy.add_tag(facet=material, labels={"en": "Linen"}, user=lead),
    }
    doing[what]()
    after = picture(decided)
    revision = TaxonomyRevision.objects.latest("number")
    undone = reshape.undo_revision(revision=revision, by=by)
    assert picture(decided) == before
    assert differences(decided.catalogue) == []
    with pytest.raises(Conflict):
        reshape.undo_revision(revision=revision, by=by)
    again = reshape.undo_revision(revision=undone.revision, by=by)
    assert picture(decided) == after
    reshape.undo_revision(revision=again.revision, by=by)
    assert picture(decided) == before
    assert read(decided.catalogue)[0] == stored(decided.catalogue)
    words = {t.slug for t in search_tags(decided.catalogue, "cotton")}
    assert words == {"cotton"}


def test_what_was_changed_since_has_to_be_undone_first(decided: World) -> None:
    cotton = Tag.objects.select_related("facet__catalogue").get(slug="cotton")
    taxonomy.rename_tag(tag=cotton, label="Pure cotton", user=None)
    first = TaxonomyRevision.objects.latest("number")
    taxonomy.rename_tag(tag=cotton, label="Organic cotton", user=None)
    second = TaxonomyRevision.objects.latest("number")
    with pytest.raises(Conflict) as refusal:
        reshape.undo_revision(revision=first, by=decided.by("lead"))
    assert refusal.value.code == "changed_since"
    reshape.undo_revision(revision=second, by=decided.by("lead"))
    reshape.undo_revision(revision=first, by=decided.by("lead"))
    cotton.refresh_from_db()
    assert (cotton.labels["en"], cotton.synonyms) == ("Cotton", {})


def test_a_split_asks_again_the_products_of_one_part_together(decided: World) -> None:
    first, second, _third, fourth = decided.products
    type(second).objects.filter(pk=second.pk).update(description="A denim shirt")
    cotton = Tag.objects.select_related("facet__catalogue").get(slug="cotton")
    done = reshape.split_tag(tag=cotton, parts=[{"en": "Jersey"}, {"en": "Denim"}], by=decided.by("lead"))
    queue = list(split_queue(done.revision))
    assert [item.product for item in queue] == [second, first, fourth]
    assert [item.guess and item.guess.slug for item in queue] == ["denim", None, None]
    assert QueueItem.objects.get(product=first).status == "queued"
    assert decided.standing(first)["cotton"] == "approved"  # until somebody has looked
    decided.tags |= {t.slug: t for t in Tag.objects.filter(slug__in=["jersey", "denim"]).select_related("facet")}
    decided.decide(first, jersey="accept", complete="material")
    assert decided.standing(first) == {"jersey": "approved", "black": "approved"}
    assert QueueItem.objects.get(product=first).status == "done"
    decided.decide(second, complete="material")  # none of them
    assert decided.standing(second) == {"wool": "approved"}
    assert [item.product for item in split_queue(done.revision)] == [fourth]
    assert differences(decided.catalogue) == []
    reshape.undo_revision(revision=done.revision, by=decided.by("lead"))
    assert decided.standing(first) == {"cotton": "approved", "black": "approved"}
    assert decided.standing(second) == {"cotton": "approved", "wool": "approved"}
    assert FacetCompletion.objects.filter(product=fourth).exists()
    assert not split_queue(done.revision).exists()
    assert differences(decided.catalogue) == []
    assert read(decided.catalogue)[0] == stored(decided.catalogue)


def test_many_products_are_a_job_that_goes_on_where_it_was_killed(
    decided: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reshape, "AT_ONCE", 1)
    monkeypatch.setattr(reshape_work, "PRODUCTS_AT_ONCE", 1)
    before = picture(decided)
    done = merge(decided)
    assert done.job is not None and done.revision.pending
    with pytest.raises(Conflict):  # one at a time
        reshape.split_tag(tag=Tag.objects.get(slug="wool"), parts=[{"en": "A"}, {"en": "B"}], by=decided.by("lead"))
    with pytest.raises(Conflict):
        reshape.undo_revision(revision=done.revision, by=decided.by("lead"))

    class Killed(BaseException):
        pass

    steps = iter(range(2))

    def die() -> None:
        if next(steps, None) is None:
            raise Killed

    with pytest.raises(Killed):
        reshape_work.work_off(revision=done.revision, role="lead", fence=die)
    assert ProductTag.objects.filter(tag__slug="cotton").count() == 2
    job = run_now(Job.objects.get(pk=done.job.pk))
    assert (job.state, job.result["products"], job.result["decisions"]) == ("done", 4, 7)
    assert not ProductTag.objects.filter(tag__slug="cotton").exists()
    assert differences(decided.catalogue) == []
    done.revision.refresh_from_db()
    undone = reshape.undo_revision(revision=done.revision, by=decided.by("lead"))
    assert undone.job is not None
    run_now(undone.job)
    assert picture(decided) == before


def test_a_preview_counts_what_a_change_touches(decided: World) -> None:
    counts = touches([decided.tags["cotton"]], into=decided.tags["wool"]).as_dict()
    assert counts == {
        "products": 4, "approved": 3, "rejected": 1, "both": 1, "waiting": 2, "suggestions": 0, "tags": 1,
        "children": 0, "rules": 0, "requests": 0, "events": 1,
    }  # fmt: skip
    assert not SplitItem.objects.exists() and not TaxonomyRevision.objects.exists()


@pytest.mark.parametrize(
    ("word", "verb"),
    [
        ("tag renamed", lambda tag, by: taxonomy.rename_tag(tag=tag, label="Pure cotton", user=by.reviewer)),
        ("tag moved", lambda tag, by: taxonomy.move_tag(tag=tag, user=by.reviewer, parent=_other(tag))),
        ("tag retired", lambda tag, by: taxonomy.retire_tag(tag=tag, user=by.reviewer)),
        ("tag merged", lambda tag, by: reshape.merge_tags(tag=tag, into=_other(tag), by=by)),
        ("tag split", lambda tag, by: reshape.split_tag(tag=tag, parts=[{"en": "A"}, {"en": "B"}], by=by)),
        ("facet retired", lambda tag, by: taxonomy.retire_facet(facet=tag.facet, user=by.reviewer)),
    ],
)
def test_each_change_is_an_event_that_says_what_it_touches(decided: World, word: str, verb: Any) -> None:
    cotton = Tag.objects.select_related("facet__catalogue").get(slug="cotton")
    taxonomy.edit_tag(tag=cotton, user=None, exclusive=True, not_with=[decided.tags["black"]])
    before = len(list(all_changes(decided.catalogue)))
    verb(cotton, decided.by("lead"))
    revision = TaxonomyRevision.objects.get(word=word)
    report = revision.report
    whole = word == "facet retired"
    assert (report["approved"], report["rejected"], report["rules"]) == (4 if whole else 3, 2 if whole else 1, 2)
    assert report["events"] == len(list(all_changes(decided.catalogue))) - before
    assert (report["events"] > 1) == (word == "tag merged")
    assert report["products"] >= 2


def test_restoring_says_what_it_touches_too(decided: World) -> None:
    cotton = Tag.objects.select_related("facet__catalogue").get(slug="cotton")
    taxonomy.retire_tag(tag=cotton, user=None)
    taxonomy.restore_tag(tag=cotton, user=None)
    assert TaxonomyRevision.objects.get(word="tag restored").report["approved"] == 3
    taxonomy.retire_facet(facet=cotton.facet, user=None)
    taxonomy.restore_facet(facet=cotton.facet, user=None)
    report = TaxonomyRevision.objects.get(word="facet restored").report
    assert (report["approved"], report["tags"]) == (4, 3)


def _other(tag: Tag) -> Tag:
    return Tag.objects.select_related("facet__catalogue").get(slug="wool")
