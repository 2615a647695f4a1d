"""The commands that bring things in, with the answers that other programs rely on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotations import sample
from annotations.models import Catalogue, Decision, Facet, Product, ProductTag, QueueItem
from annotations.queries.standing import differences
from tests.annotations.conftest import World


def run(*arguments: str, **options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out, stderr=io.StringIO(), **options)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


@pytest.fixture
def catalogue(db: None) -> Catalogue:
    return Catalogue.objects.create(slug="day", name="Day", languages=["en", "zh-hans"])


def test_import_products_answers_as_promised(catalogue: Catalogue, tmp_path: Path, settings: Any) -> None:
    settings.UPLOADS_ROOT = tmp_path / "uploads"
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"id,title\n1,ok\n2,\xff\xfe broken\n,missing id\n3,=1+1\n")
    dry = run("import_products", "day", str(bad), "--dry-run")
    assert not Product.objects.exists()
    real = run("import_products", "day", str(bad))
    names = ["rows", "created", "updated", "unchanged", "archived", "set_aside", "problems", "problems_file", "seconds"]
    assert list(real) == list(dry) == names
    counts = names[:7]
    assert [real[n] for n in counts] == [dry[n] for n in counts] == [2, 2, 0, 0, 0, 0, 2]
    lines = Path(real["problems_file"]).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "file,line,column,value,severity,code,message"
    assert [line.split(",")[:3] for line in lines[1:]] == [["bad.csv", "3", "title"], ["bad.csv", "4", "id"]]
    assert run("import_products", "day", str(bad), "--problems", str(tmp_path / "p.csv"))["problems_file"] == str(
        tmp_path / "p.csv"
    )


def test_a_mapping_file_says_what_columns_mean(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("nummer_x,was_x,stoff_x\n1,Mantel,Wolle\n")
    (tmp_path / "map.json").write_text('{"nummer_x": "id", "was_x": "title", "stoff_x": "attribute:material"}')
    answer = run("import_products", "day", str(tmp_path / "odd.csv"), "--mapping", str(tmp_path / "map.json"))
    assert answer["created"] == 1
    product = Product.objects.get()
    assert (product.title, product.attributes) == ("Mantel", {"material": ["Wolle"]})
    (tmp_path / "map.json").write_text('{"nummer_x": "nonsense"}')
    with pytest.raises(CommandError) as failure:
        run("import_products", "day", str(tmp_path / "odd.csv"), "--mapping", str(tmp_path / "map.json"))
    assert failure.value.returncode == 1


@pytest.mark.parametrize("arguments", [["no-such-file.csv"], ["no-such.csv", "--images", "no.zip"]])
def test_a_file_that_is_not_there_is_said(catalogue: Catalogue, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as failure:
        run("import_products", "day", *arguments)
    assert failure.value.returncode == 1


def test_tags_then_decisions_then_the_check(catalogue: Catalogue, tmp_path: Path) -> None:
    products = tmp_path / "p.jsonl"
    products.write_text(
        "".join(
            json.dumps({"id": f"{n}", "title": "Coat", "attributes": {"material": ["Wool"], "colour": ["red"]}}) + "\n"
            for n in range(3)
        )
    )
    run("import_products", "day", str(products))
    tags = run("import_tags", "day", from_attributes=True)
    assert (tags["facets"], tags["tags"], tags["problems"]) == (2, 2, 0)
    lines = tmp_path / "d.jsonl"
    lines.write_text(
        json.dumps({"product": "1", "facet": "material", "tag": "Wool", "verdict": "accept", "reviewer": "oracle"})
        + "\n"
        + json.dumps({"product": "1", "complete": True, "reviewer": "oracle"})
        + "\n{}\n"
    )
    decided = run("decide", "day", str(lines))
    # number 1 of the feed is that of the tags that were made
    assert (decided["decisions"], decided["problems"], decided["seq"]) == (3, 1, 4)
    assert decided["problem_list"][0]["line"] == 3
    assert run("rebuild_standing_tags", "--check")["differences"] == 0


def test_rebuilding_mends_what_was_tampered_with(world: World) -> None:
    for product in world.products:
        world.decide(product, wool="accept", black="reject", complete="material")
    ProductTag.objects.filter(product=world.products[0]).delete()
    ProductTag.objects.filter(product=world.products[1], tag=world.tags["wool"]).update(state="rejected")
    world.products[2].completions.all().delete()  # type: ignore[attr-defined]
    assert run("rebuild_standing_tags", "--check")["differences"] == 4
    assert len(differences(world.catalogue)) == 4  # checking mends nothing
    assert run("rebuild_standing_tags", "--catalogue", "shop")["differences"] == 4
    assert differences(world.catalogue) == []
    assert world.standing(world.products[0]) == {"wool": "approved", "black": "rejected"}


def test_a_tag_list_or_the_attributes_but_not_both(catalogue: Catalogue, tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path), "--from-attributes"]):
        with pytest.raises(CommandError, match=r"required|not allowed"):
            call_command("import_tags", "day", *arguments)
    answer = run("import_tags", "day", str(sample.TAXONOMY_FILE))
    assert answer["facets"] == Facet.objects.count() == len(sample.taxonomy()["facets"])


@pytest.mark.long
def test_the_sample_comes_in_by_the_same_verbs(
    db: None, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    known = {row["image"] for row in list(sample.pictures())[:12]}
    rows = [r for r in sample.products() if not ({r.get("image"), *r.get("images", [])} - {None} - known)]
    ids = {row["id"] for row in rows}
    decisions = [line for line in sample.approved() if line["product"] in ids]
    monkeypatch.setattr(sample, "pictures", lambda: (r for r in _PICTURES if r["image"] in known))
    monkeypatch.setattr(sample, "products", lambda: iter(rows))
    monkeypatch.setattr(sample, "approved", lambda: iter(decisions))
    answer = run("load_sample")
    assert (answer["catalogue"], answer["products"], answer["problems"]) == ("sample", len(rows), 0)
    assert answer["decisions"] > 0
    catalogue = Catalogue.objects.get(slug="sample")
    assert Product.objects.exclude(pictures=[]).count() > 0
    assert 0 < QueueItem.objects.filter(status="done").count() < len(rows)
    assert differences(catalogue) == []
    again = run("load_sample")
    assert again["decisions"] == 0
    assert Decision.objects.count() == answer["decisions"]


_PICTURES = list(sample.pictures())
