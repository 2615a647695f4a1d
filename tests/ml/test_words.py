"""Blocked words are found as a person would find them, and nothing else is."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from ml.safety.starter import ALLOWED, STARTER
from ml.safety.words import WordList, name_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("This balm cures everything", ["cures"]),
        ("CURES", ["cures"]),
        ("Ｃｕｒｅｓ wide", ["cures"]),
        ("cu\u200bres, cu\u00adres", ["cures", "cures"]),
        ("miracle   cure\n", ["miracle cure"]),
        ("secures the procures epicures", []),
        ("cures2 x_cures", ["cures"]),
        ("这款茶可以降血压,抗癌", ["降血压", "抗癌"]),
        ("用于治\u200b疗失眠", ["治疗"]),
        ("纯棉cures面料", ["cures"]),
        ("Christian Dior for christians", ["for christians"]),
        ("最大功率 2000W，最大优惠", ["最大"]),
        ("", []),
    ],
)
def test_what_is_found(text: str, found: list[str]) -> None:
    words = WordList(["cures", "Miracle Cure", "降血压", "抗癌", "治疗", "for christians", "最大"], ["最大功率"])
    hits = words.find(text)
    assert [name_of(h.word) for h in hits] == [name_of(w) for w in found]
    assert all(name_of(text[h.start : h.end]) == name_of(h.word) for h in hits)


def test_an_allowed_phrase_spares_only_what_lies_inside() -> None:
    words = WordList(["gypsy"], ["Gypsy Kings"])
    assert words.find("Best of the Gypsy Kings") == [] and len(words.find("gypsy skirt, Gypsy Kings")) == 1
    assert WordList(["gypsy"]).find("Gypsy Kings"), "the control: without the allow list it is found"


def test_empty_lists() -> None:
    assert (
        not WordList([]) and WordList([" ", ""]).find("x") == [] and WordList(["a.b*"]).first(["xx", "a.b*"]) == "a.b*"
    )


def test_the_starter_lists_are_clean() -> None:
    for group, words in STARTER.items():
        assert len(words) >= 40 and len({name_of(w) for w in words}) == len(words), group
        assert any(w.isascii() for w in words) and any(not w.isascii() for w in words)
    assert ALLOWED.keys() == STARTER.keys()


INNOCENT = """Christian Louboutin pump|Straight leg jeans, straight fit|White shirt for people who travel|Black cotton hoodie
Sweet treats gift box|The Cure - Disintegration (LP)|Oriental rug 120x180|Treatment-free|Curved shoe rack|Best Buy gift card
Secure lock for heels, cured leather|Gay-Lussac laboratory kit|Dumbbell set 20 kg|Detoured trail guide|Size 42, slim fit
白色棉质衬衫 男女同款|最大功率 1200W 电吹风|万能胶 50ml|瘦身裤 高腰|牙科治疗椅|顶配电脑|黑色羊毛大衣|儿童哑铃|水处理滤芯""".replace("\n", "|").split("|")  # fmt: skip


def test_false_positives_of_the_starter_lists() -> None:
    words = WordList([w for ws in STARTER.values() for w in ws], [w for ws in ALLOWED.values() for w in ws])
    assert {text: words.first([text]) for text in INNOCENT if words.find(text)} == {}
    for text in ("This tea cures diabetes", "纯天然 无副作用 降血糖", "Shirt for white people", "全网第一 面膜"):
        assert words.find(text), text


@pytest.mark.shared
def test_how_often_they_are_in_real_catalogues(shared: Path) -> None:
    words = WordList([w for ws in STARTER.values() for w in ws], [w for ws in ALLOWED.values() for w in ws])
    for path in sorted(shared.glob("*/products.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        found = Counter(
            h.word for row in rows for h in words.find(f"{row.get('title', '')} {row.get('description', '')}")
        )
        print(path.parent.name, len(rows), found.most_common(12))
        assert sum(found.values()) <= 0.1 * len(rows) + 5
