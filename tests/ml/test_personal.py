"""Personal data is found by form and check digits; what shops write all day is left alone."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml.safety.personal import MASK, find, is_card, is_chinese_identity, luhn, mask


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("Write to mia.long+shop@example.co.uk today", "email", "mia.long+shop@example.co.uk"),
        ("客服邮箱:kefu@example.com。", "email", "kefu@example.com"),
        ("ask ｍia＠ no", "", ""),
        ("Call +49 30 1234567 for help", "phone", "+49 30 1234567"),
        ("Call +86-138-1234-5678", "phone", "+86-138-1234-5678"),
        ("Questions? (415) 555-2671", "phone", "(415) 555-2671"),
        ("415-555-2671", "phone", "415-555-2671"),
        ("微信同号13812345678", "phone", "13812345678"),
        ("加微信 138 1234 5678 咨询", "phone", "138 1234 5678"),
        ("总部电话 010-62345678", "phone", "010-62345678"),
        ("热线:400-820-8820", "phone", "400-820-8820"),
        ("Tel: 030 1234567", "phone", "030 1234567"),
        ("电话：１３８１２３４５６７８", "phone", "１３８１２３４５６７８"),
        ("card 4111 1111 1111 1111 thanks", "card", "4111 1111 1111 1111"),
        ("card 5500005555555559", "card", "5500005555555559"),
        ("amex 3782-822463-10005", "card", "3782-822463-10005"),
        ("身份证11010519491231002X。", "identity", "11010519491231002X"),
    ],
)
def test_what_is_personal(text: str, kind: str, found: str) -> None:
    assert [(p.kind, text[p.start : p.end]) for p in find(text)] == ([(kind, found)] if kind else [])
    masked = mask(text)
    assert len(masked) == len(text)
    if found:
        assert found not in masked and masked == text.replace(found, MASK * len(found))


@pytest.mark.parametrize(
    "text",
    [
        "Shelf 120x80x40 cm, 2000-3000-4000 mm",
        "Size 36-38-40, EU 42 / UK 8 / US 10.5",
        "Price 1,299.00 USD, was $1299999.99, ¥13812345678",
        "SKU 13812345678",
        "货号:13812345678 新款",
        "EAN 4006381333931, UPC 036000291452, ISBN 978-3-16-148410-0",
        "4006381333931",
        "10012345678902",  # a GTIN-14
        "Model No. 415-555-2671",
        "Part 4111111111111111",
        "2024-01-15 to 2024-12-31, 10:30-18:00",
        "Power bank 20000mAh 22.5W 5V/3A 9V-2A",
        "1080x1920 px, 4096 x 2160",
        "iPhone 15 Pro Max 256GB A3108",
        "4111 1111 1111 1112",  # not Luhn
        "110105194912310021",  # wrong check character
        "110105199913310021",  # no such month
        "Pack of 100-200-3000 pcs",
        "WH01-XS-Black 24-MB01 WSH12-28-Red",
        "415-555-2671 mm",
        "@home collection, 3@5",
        "123456789012345678901234567890",
    ],
)
def test_what_shops_write_is_not(text: str) -> None:
    assert find(text) == []


def test_check_digits() -> None:
    assert luhn("79927398713") and not luhn("79927398710")
    assert is_card("4111111111111111") and not is_card("0000000000000000")
    assert is_chinese_identity("11010519491231002X") and not is_chinese_identity("110105194912310021")


def test_a_changed_digit_is_no_card() -> None:
    """Luhn's promise: every single wrong digit is seen."""
    right = "4111111111111111"
    wrong = [right[:i] + d + right[i + 1 :] for i in range(16) for d in "0123456789" if d != right[i]]
    assert not any(is_card(number) for number in wrong)


def test_allowed_texts_stay() -> None:
    text = "热线 400-820-8820，手机 13812345678"
    assert [p.kind for p in find(text, ["4008208820"])] == ["phone"]
    assert "400-820-8820" in mask(text, ["400 820 8820"])


def test_masking_twice_is_masking_once() -> None:
    rng = random.Random(0)
    alphabet = "0123456789 -.@+()abc电话:"
    for _ in range(3000):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 60)))
        once = mask(text)
        assert len(once) == len(text) and mask(once) == once


@pytest.mark.shared
def test_real_catalogues_hold_hardly_any(shared: Path) -> None:
    """Ten thousands of real titles and descriptions: whatever is found is said, and must be next to nothing."""
    texts, found = 0, []
    for path in sorted(shared.glob("*/products.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                for text in _strings(json.loads(line)):
                    texts += 1
                    found += [(path.parent.name, p.kind, text[p.start : p.end]) for p in find(text)]
    print(texts, "texts;", len(found), found[:40])
    assert texts > 10_000 and len(found) <= texts / 2000, found[:40]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(part)
