"""The sample catalogue fits together: rows, taxonomy, truth, decisions and pictures."""

import hashlib
import json
from collections import defaultdict
from pathlib import Path

import ftfy
import pytest
from PIL import Image

from annotations import sample
from annotations.sample.drawing import COLOURS, draw, kinds

ROWS = list(sample.products())
BY_ID = {row["id"]: row for row in ROWS}
FACETS = {facet["slug"]: facet for facet in sample.taxonomy()["facets"]}
TRUTH = sample.truth()
DECISIONS = list(sample.approved())
APPROVED = {line["product"] for line in DECISIONS if line.get("complete") is True}
PICTURES = {picture["image"]: picture for picture in sample.pictures()}
NAMED = ["zh-smart-watch", "zh-leather-sneaker", "zh-bt-earphones", "zh-phone", "zh-laptop", "zh-tablet"]


def tags_of(facet):
    return {tag["slug"]: tag for tag in FACETS[facet]["tags"]}


def words_of(facet, tag, language):
    found = tags_of(facet)[tag]
    return [found["labels"][language], *found["synonyms"][language]]


def applies(facet, category):
    prefixes = FACETS[facet]["categories"]
    return not prefixes or any(category == p or category.startswith(p + "/") for p in prefixes)


def pictures_of(row):
    return [*([row["image"]] if "image" in row else []), *row.get("images", [])]


def members_of(family):
    return [row for row in ROWS if row["family"] == family]


def test_enough_products_half_of_them_in_each_language_over_three_worlds():
    count = defaultdict(int)
    for row in ROWS:
        count[row["language"]] += 1
        count[row["category"].split("/")[0]] += 1
    assert len(ROWS) == len(BY_ID) >= 240
    assert min(count["en"], count["zh-hans"]) > 0.4 * len(ROWS)
    assert count["en"] + count["zh-hans"] == len(ROWS)
    assert all(count[world] >= 40 for world in ("Fashion", "Electronics", "Home", "服饰", "电子", "家居"))


def test_every_row_is_of_the_import_shape():
    shape = {"id", "title", "description", "category", "language", "family", "attributes", "image", "images"}
    extra = {"brand", "supplier", "sku", "price", "currency"}
    for row in ROWS:
        assert set(row) <= shape | extra, row["id"]
        assert row["title"].strip()
        assert isinstance(row["description"], str)
        for name, values in row["attributes"].items():
            assert name.strip()
            assert isinstance(values, list) and values and all(isinstance(v, str) and v for v in values), row["id"]


def test_chinese_rows_are_chinese_and_english_ones_are_not():
    def chinese(text):
        return sum("\u4e00" <= character <= "\u9fff" for character in ftfy.fix_text(text))

    for row in ROWS:
        assert (chinese(row["title"] + row["description"]) > 8) == (row["language"] == "zh-hans"), row["id"]


def test_texts_are_written_not_filled_in():
    texts = {row["family"]: row["description"] for row in ROWS if row["description"]}
    assert len(texts) >= 120
    assert len({text[:12] for text in texts.values()}) >= 0.97 * len(texts)


def test_the_taxonomy_has_both_languages_and_no_word_for_two_tags_of_a_facet():
    assert 10 <= len(FACETS) <= 14
    assert 90 <= sum(len(facet["tags"]) for facet in FACETS.values()) <= 150
    for facet in FACETS.values():
        assert set(facet["labels"]) == set(facet["definitions"]) == {"en", "zh-hans"}
        assert facet["kind"] in ("single", "multi")
        owner = {}
        for tag in facet["tags"]:
            assert tag["slug"].isascii()
            assert tag.get("parent") is None or tag["parent"] in tags_of(facet["slug"])
            assert set(tag["labels"]) == {"en", "zh-hans"}
            assert set(tag.get("definitions", FACETS["colour"]["definitions"])) == {"en", "zh-hans"}
            for language in ("en", "zh-hans"):
                for word in words_of(facet["slug"], tag["slug"], language):
                    assert word
                    assert owner.setdefault((language, word.lower()), tag["slug"]) == tag["slug"], (facet["slug"], word)


def test_categories_are_known_and_so_are_the_prefixes_of_the_facets():
    known = set(sample.taxonomy()["categories"])
    assert {row["category"] for row in ROWS} == known
    for facet in FACETS.values():
        for prefix in facet["categories"]:
            assert any(c == prefix or c.startswith(prefix + "/") for c in known), (facet["slug"], prefix)


def test_truth_is_about_these_products_in_words_of_the_taxonomy_and_uses_them_all():
    assert set(TRUTH) == set(BY_ID)
    used = set()
    for product, facets in TRUTH.items():
        for facet, tags in facets.items():
            assert tags and len(set(tags)) == len(tags), (product, facet)
            assert set(tags) <= set(tags_of(facet)), (product, facet)
            assert applies(facet, BY_ID[product]["category"]), (product, facet)
            assert len(tags) == 1 or FACETS[facet]["kind"] == "multi", (product, facet)
            used |= {(facet, tag) for tag in tags}
    assert used == {(facet, tag) for facet in FACETS for tag in tags_of(facet)}


def test_a_family_agrees_on_all_but_its_variant_facets_and_is_approved_whole():
    axes = {slug for slug, facet in FACETS.items() if facet["variant_axis"]}
    assert axes == {"colour", "size"}
    families = defaultdict(list)
    for row in ROWS:
        families[row["family"]].append(row["id"])
    for members in families.values():
        common = [{facet: tags for facet, tags in TRUTH[m].items() if facet not in axes} for m in members]
        assert all(one == common[0] for one in common), members
        assert len({m in APPROVED for m in members}) == 1, members
        assert len({json.dumps([TRUTH[m].get(a) for a in sorted(axes)]) for m in members}) == len(members), members
    assert sum(len(members) > 1 for members in families.values()) > 100


def test_the_decisions_say_exactly_the_truth_for_about_half_of_the_products():
    accepted = {(d["product"], d["facet"], d["tag"]) for d in DECISIONS if "tag" in d}
    assert accepted == {(p, f, t) for p in APPROVED for f, tags in TRUTH[p].items() for t in tags}
    assert all(d["reviewer"] == "sample" and d.get("verdict", "accept") == "accept" for d in DECISIONS)
    assert len(DECISIONS) == len(accepted) + len(APPROVED)
    assert 0.5 < len(APPROVED) / len(ROWS) < 0.6
    for language in ("en", "zh-hans"):
        rows = {row["id"] for row in ROWS if row["language"] == language}
        assert 0.45 < len(APPROVED & rows) / len(rows) < 0.65


def test_a_product_is_completed_after_its_last_tag():
    completed = set()
    for line in DECISIONS:
        assert line["product"] not in completed
        if line.get("complete") is True:
            completed.add(line["product"])


@pytest.mark.parametrize("family", NAMED)
def test_the_named_products_are_there_with_pictures_and_undecided(family):
    rows = members_of(family)
    assert rows
    for row in rows:
        assert row["language"] == "zh-hans" and pictures_of(row)
        assert not any(line["product"] == row["id"] for line in DECISIONS)


def test_the_smart_watchs_tags_are_named_by_words_of_its_text():
    watch = members_of("zh-smart-watch")[0]
    text = watch["title"] + watch["description"]
    for word in ["材质", "表带", "表盘", "心率监测", "血氧检测", "睡眠监测", "运动", "商务", "休闲"]:
        assert word in text
    wanted = {("function", "health-monitoring"), ("function", "sleep-monitoring")}
    wanted |= {("occasion", tag) for tag in ("sport", "business", "leisure")}
    for facet, tag in wanted:
        assert tag in TRUTH[watch["id"]][facet]
        assert any(word in text for word in words_of(facet, tag, "zh-hans")), (facet, tag)


def test_the_other_named_products_are_what_they_are_called():
    def right(family, facet):
        return set(TRUTH[members_of(family)[0]["id"]].get(facet, ()))

    assert right("zh-leather-sneaker", "material") == {"leather"}
    assert right("zh-leather-sneaker", "occasion") == {"leisure", "sport"}
    assert right("zh-leather-sneaker", "audience") == {"men"}
    assert "value-for-money" in right("zh-bt-earphones", "highlight")
    assert "bluetooth" in right("zh-bt-earphones", "connectivity")
    assert [PICTURES[pictures_of(members_of(f)[0])[0]]["kind"] for f in NAMED] == [
        *("watch", "sneaker", "earbuds", "phone", "laptop", "tablet")
    ]


def test_some_rows_are_messy():
    texts = [row["title"] + " " + row["description"] for row in ROWS]
    assert any("<p>" in text for text in texts)
    assert any("&quot;" in text for text in texts)
    assert sum(ftfy.fix_text(row["description"]) != row["description"] for row in ROWS) >= 2
    assert any("  " in row["title"].strip() for row in ROWS)
    assert any(len(row["title"]) > 200 for row in ROWS)
    assert any("🔥" in text for text in texts)
    assert any(row["title"].isupper() and row["language"] == "en" for row in ROWS)
    assert sum(row["description"] == "" for row in ROWS) >= 3
    assert sum(not pictures_of(row) for row in ROWS) >= 3
    assert sum(not row["attributes"] for row in ROWS) >= 2


def test_text_decoded_wrongly_can_be_mended():
    assert "语音控制" in ftfy.fix_text(BY_ID["zh-robot-vacuum-black"]["description"])
    assert "café" in ftfy.fix_text(BY_ID["en-linen-shirt-white"]["description"])


def test_rows_and_pictures_name_each_other():
    assert {name for row in ROWS for name in pictures_of(row)} == set(PICTURES)
    assert sum(len(pictures_of(row)) > 1 for row in ROWS) > 40
    for row in ROWS:
        for name in pictures_of(row):
            shown = [PICTURES[name]["colour"], PICTURES[name].get("accent")]
            assert set(shown) - {None} == set(TRUTH[row["id"]]["colour"]), row["id"]


def test_every_colour_tag_can_be_drawn_and_so_can_every_kind():
    assert set(tags_of("colour")) == set(COLOURS)
    used = {picture["kind"] for picture in PICTURES.values()}
    assert len(used) >= 30
    assert used <= set(kinds())


def _distance(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", kinds())
def test_each_kind_is_seen_in_the_middle_and_leaves_the_corners_free(kind):
    size = 200
    image = draw({"kind": kind, "colour": "red"}, size)
    assert (image.size, image.mode) == ((size, size), "RGB")
    bare = draw({"kind": "mug", "colour": "red"}, size)  # a mug leaves all four corners free
    corners = [(1, 1), (size - 2, 1), (1, size - 2), (size - 2, size - 2)]
    assert all(_distance(image.getpixel(at), bare.getpixel(at)) < 8 for at in corners)  # a shadow may reach there
    inner = [(x, y) for x in range(50, 150, 2) for y in range(50, 150, 2)]
    seen = sum(_distance(image.getpixel(at), image.getpixel((1, 1))) > 40 for at in inner)
    assert seen > 0.05 * len(inner)


@pytest.mark.parametrize("view", ["whole", "detail", "range"])
def test_drawing_is_deterministic_and_shows_the_colour(view):
    def digest(colour):
        picture = {"kind": "dress", "colour": colour, "accent": "pink", "pattern": "floral", "view": view}
        return hashlib.sha256(draw({**picture, "colours": [colour, "navy"]}, 160).tobytes()).hexdigest()

    assert digest("green") == digest("green") != digest("red")


@pytest.mark.parametrize("pattern", ["stripes", "checks", "dots", "floral", "graphic"])
def test_a_pattern_stays_inside_the_cloth(pattern):
    plain = draw({"kind": "cushion", "colour": "blue", "accent": "white"}, 160)
    patterned = draw({"kind": "cushion", "colour": "blue", "accent": "white", "pattern": pattern}, 160)
    for edge in ((0, 0, 12, 160), (148, 0, 160, 160), (0, 0, 160, 12), (0, 148, 160, 160)):
        assert plain.crop(edge).tobytes() == patterned.crop(edge).tobytes()
    assert plain.tobytes() != patterned.tobytes()


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError):
        draw({"kind": "spaceship", "colour": "red"}, 96)


def test_draw_all_makes_the_files_that_rows_name(tmp_path, monkeypatch):
    few = [PICTURES[name] for row in ROWS[:40:4] for name in pictures_of(row)]
    monkeypatch.setattr(sample, "pictures", lambda: iter(few))
    seen = []
    sample.draw_all(tmp_path / "pictures", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, len(few)) for i in range(len(few))]
    assert {p.name for p in (tmp_path / "pictures").iterdir()} == {picture["image"] for picture in few}
    with Image.open(tmp_path / "pictures" / few[0]["image"]) as image:
        assert (image.format, image.size) == ("JPEG", (sample.PICTURE_SIDE,) * 2)


def test_the_package_does_not_import_django():
    for file in Path(sample.__file__).parent.rglob("*.py"):
        assert not any("django" in line for line in file.read_text(encoding="utf-8").splitlines() if "import" in line)
