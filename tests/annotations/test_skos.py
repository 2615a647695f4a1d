"""A taxonomy through SKOS and back: nothing is changed by its own file, and an empty catalogue gets all of it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotations.actions.errors import Refused
from annotations.actions.import_tags import import_tags
from annotations.formats.rows import FileRefused
from annotations.formats.skos import FORMATS, parse_skos, write_skos
from annotations.models import Catalogue, Facet, Tag
from annotations.queries.skos import skos_facets
from annotations.sample import TAXONOMY_FILE

from .conftest import World

rdflib = pytest.importorskip("rdflib")
pytestmark = pytest.mark.django_db
BASE = "urn:tagstudio:catalogue:x:"


@pytest.fixture
def rich(world: World) -> World:
    """With every relation, odd names, and the packaged sample's taxonomy beside it."""
    import_tags(catalogue=world.catalogue, path=TAXONOMY_FILE, user=None)
    wool, cotton, leather, black = (world.tags[n] for n in ("wool", "cotton", "leather", "black"))
    Facet.objects.filter(slug="material").update(
        implied_parents=True, required=True, categories=["Fashion", "Home/Bed"]
    )
    Tag.objects.filter(pk=wool.pk).update(
        parent=cotton, synonyms={"en": ["woollen", "merino \"fine\""], "zh-hans": ["毛料"]}, definitions={"en": "From sheep.\nSoft."},
        categories=["Fashion"], threshold=0.25,
    )  # fmt: skip
    Tag.objects.filter(pk=leather.pk).update(exclusive=True, slug="real leather/ü&<x>")
    wool.not_with.add(black)
    weight = Facet.objects.create(
        catalogue=world.catalogue, slug="weight", labels={"en": "Weight"}, kind="numeric", unit="kg", position=50
    )
    Tag.objects.create(facet=weight, slug="1p5-kg", labels={"en": "1.5 kg"}, number=1.5)
    return world


def file_of(catalogue: Catalogue, form: str, folder: Path) -> Path:
    path = folder / f"taxonomy.{FORMATS[form]}"
    path.write_bytes(write_skos(skos_facets(catalogue), base=BASE, form=form))
    return path


def graph_of(catalogue: Catalogue) -> Any:
    return rdflib.Graph().parse(data=write_skos(skos_facets(catalogue), base=BASE, form="turtle"), format="turtle")


@pytest.mark.parametrize("form", FORMATS)
def test_a_round_trip_changes_nothing(rich: World, tmp_path: Path, form: str) -> None:
    path = file_of(rich.catalogue, form, tmp_path)
    before = graph_of(rich.catalogue)
    report = import_tags(catalogue=rich.catalogue, path=path, user=None)
    assert (report.new_facets, report.new_tags, report.changed, report.problems) == (0, 0, 0, 0)
    assert report.tags == Tag.objects.filter(facet__catalogue=rich.catalogue).count()
    assert set(graph_of(rich.catalogue)) == set(before)


@pytest.mark.long
@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_catalogue_gets_all_of_it(rich: World, tmp_path: Path, form: str) -> None:
    path = file_of(rich.catalogue, form, tmp_path)
    empty = Catalogue.objects.create(slug="empty", name="Empty", languages=["en", "zh-hans"])
    report = import_tags(catalogue=empty, path=path, user=None)
    assert report.new_tags == Tag.objects.filter(facet__catalogue=rich.catalogue).count() and report.problems == 0
    assert Tag.objects.get(facet__catalogue=empty, facet__slug="weight").number == 1.5
    again = import_tags(catalogue=empty, path=path, user=None)
    assert (again.new_tags, again.changed) == (0, 0)
    missing, more = (
        set(graph_of(rich.catalogue)) - set(graph_of(empty)),
        set(graph_of(empty)) - set(graph_of(rich.catalogue)),
    )
    odd = "real leather/ü&<x>"  # slugs made here are made of letters, digits and hyphens
    assert {t for t in missing | more if "leather" not in str(t)} == set(), (missing, more)
    assert Tag.objects.filter(facet__catalogue=empty, labels__en="Leather", exclusive=True).exclude(slug=odd).exists()


FOREIGN = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix ex: <http://example.org/vocab/> .
ex:colours a skos:ConceptScheme ; skos:prefLabel "Farben"@de, "Colours"@en ; skos:hasTopConcept ex:red .
ex:red a skos:Concept ; skos:prefLabel "Red"@en ; skos:altLabel "scarlet"@en ; skos:hiddenLabel "rde"@en ; skos:narrower ex:dark .
ex:dark a skos:Concept ; skos:inScheme ex:colours ; skos:prefLabel "Dark red"@en, "Dunkelrot"@de .
ex:lonely a skos:Concept ; skos:prefLabel "Lonely" .
"""


def test_a_list_of_others(world: World, tmp_path: Path) -> None:
    (tmp_path / "v.ttl").write_text(FOREIGN, encoding="utf-8")
    import_tags(catalogue=world.catalogue, path=tmp_path / "v.ttl", user=None)
    dark = Tag.objects.get(facet__catalogue=world.catalogue, labels__de="Dunkelrot")
    assert dark.parent is not None and dark.parent.labels == {"en": "Red"}
    assert set(dark.parent.synonyms["en"]) == {"scarlet", "rde"}
    assert Tag.objects.filter(facet__slug="concepts", labels__en="Lonely").exists()


CONTEXTS = ["http://127.0.0.1:9/c", ["http://127.0.0.1:9/c"], [{"a": "urn:a"}, "http://127.0.0.1:9/c"]]


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_by_address_is_never_fetched(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, place: asked.append(place))
    for nested in ({"@context": context, "@id": "urn:x"}, {"@graph": [{"x": {"@context": context}}]}, {"@context": {"t": {"@id": "urn:t", "@context": context}}}, {"@context": {"@import": "http://127.0.0.1:9/c"}}):  # fmt: skip
        with pytest.raises(FileRefused):
            parse_skos(json.dumps(nested).encode(), name="x.jsonld")
    assert asked == []


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else str()};" * 10}">' for n in range(12)) + ']><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><x>&a11;</x></rdf:RDF>'  # fmt: skip
HOSTILE = {
    "a.rdf": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">&x;</rdf:RDF>',
    "bomb.rdf": BOMB, "b.ttl": "@prefix : <", "c.ttl": "", "d.jsonld": "{", "e.jsonld": "[" * 5000, "f.rdf": "\x00\x01",
    "g.ttl": "<a> <b> <c> .", "h.nt": "nonsense",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_skos_is_refused_by_name(world: World, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(HOSTILE[name], encoding="utf-8")
    before = Tag.objects.count()
    with pytest.raises(Refused) as refusal:
        import_tags(catalogue=world.catalogue, path=tmp_path / name, user=None)
    assert "root:" not in str(refusal.value) and Tag.objects.count() == before


def test_the_page_gives_each_format(world: World) -> None:
    viewer = Client()
    viewer.force_login(world.people["viewer"])
    for form, ending in FORMATS.items():
        answer = viewer.get(reverse("taxonomy_skos", args=["shop", form]))
        assert answer.status_code == 200 and ending in answer["Content-Disposition"]
        assert len(parse_skos(answer.content, name=f"x.{ending}")) == 2
    assert viewer.get(reverse("taxonomy_skos", args=["shop", "n3"])).status_code == 404
