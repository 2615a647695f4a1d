"""Personal data in product texts: found by its form and its check digits, and masked.

What counts: e-mail addresses; telephone numbers (with a country code, North American, Chinese mobile, landline and
service numbers, and any number behind a word such as "tel"); payment card numbers (issuer's prefix and length as of
ISO/IEC 7812, and the Luhn digit of its annex B); Chinese resident identity numbers (GB 11643-1999: a date and the
ISO 7064 MOD 11-2 check character). What does not: sizes, prices, article numbers, GTINs and ISBNs. A number behind a
word such as "SKU", "EAN" or "货号" is never taken for a telephone, and one that is followed by a unit neither.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["email", "phone", "card", "identity"]
MASK = "•"  # one for each character, so that positions stay those of the text

_SUSPECT = re.compile(r"[@＠]|[0-9０-９](?:[\s().·–/-]?[0-9０-９]){6}")
"""What a text must have to be looked at at all: most products have none of it."""

_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}[@＠](?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w-])"
)
_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])")
_CARD = re.compile(r"(?<![0-9A-Za-z.,-])\d(?:[ -]?\d){12,18}(?![0-9A-Za-z]|[.,-]\d)")
_EDGE, _END = r"(?<![0-9A-Za-z.,_/*×-])", r"(?![0-9A-Za-z_*×/]|[.,-]\d)"
_PHONES = tuple(
    re.compile(_EDGE + form + _END)
    for form in (
        r"(?:\+|00)[1-9]\d{0,2}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){5,12}",  # with a country code
        r"(?:1[ .-])?\([2-9]\d{2}\) ?[2-9]\d{2}[ .-]\d{4}",  # (415) 555-2671
        r"(?:1[ .-])?[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4}",  # 415-555-2671
        r"1[3-9]\d([ -]?)\d{4}\1\d{4}",  # Chinese mobile
        r"\(?0\d{2,3}\)?[ -]\d{7,8}",  # Chinese landline
        r"(?:400|800)-\d{3}-?\d{4}|(?:400|800)-\d{4}-\d{3}",  # Chinese service number
    )
)
_BEHIND_A_WORD = re.compile(
    r"(?i)(?:\b(?:tel|telephone|phone|mobile|cell|call us|call|hotline|whatsapp|fax)\b\.?|电话|手机|热线|传真|微信|联系方式|致电)"
    r"\s*(?:no\.?|number|号码|号)?\s*[:：]?\s*(?P<number>\+?\(?\d(?:[ ().-]{0,2}\d){6,14})(?!\d)"
)
_ARTICLE = re.compile(
    r"(?i)(?:\b(?:sku|ean|upc|gtin|isbn|asin|mpn|art(?:icle)?|item|model|part|ref|style|batch|lot|serial|order|barcode)"
    r"|货号|款号|型号|条码|条形码|编号|编码|批号|序列号|订单|商品号)[\s.:：#№_-]*(?:no|nr|number|id|code|号|码)?[\s.:：#№_-]*$"
)
_MONEY = re.compile(r"[$€£¥￥][ ]?$|(?i:\b(?:usd|eur|rmb|cny|gbp))[ ]?$")
_UNIT = re.compile(
    r"(?i)^\s?(?:mm|cm|m|km|in|inch|inches|ft|\"|″|'|g|kg|mg|lb|lbs|oz|ml|l|w|kw|v|mah|ah|hz|lm|px|dpi|pcs|°|元|块|毫米|厘米|米|克|千克|毫升|升|瓦|毫安|英寸)(?![A-Za-z])"
)
_FULL_WIDTH = {0xFF10 + n: ord("0") + n for n in range(10)} | {0xFF20: ord("@"), 0xFF0B: ord("+"), 0xFF0D: ord("-")}


@dataclass(frozen=True, slots=True)
class Personal:
    """Characters ``start:end`` of a text (code points, end exclusive) and what they are."""

    kind: Kind
    start: int
    end: int


def find(text: str, allowed: Collection[str] = ()) -> list[Personal]:
    """In order, never overlapping. ``allowed`` are texts that are no person's, such as the shop's own hotline."""
    if not _SUSPECT.search(text):
        return []
    plain = text.translate(_FULL_WIDTH)
    spared = {_bare(word) for word in allowed}
    found: list[Personal] = []
    for one in sorted(_candidates(plain), key=lambda p: (p.start, p.start - p.end)):
        if (not found or one.start >= found[-1].end) and _bare(plain[one.start : one.end]) not in spared:
            found.append(one)
    return found


def mask(text: str, allowed: Collection[str] = ()) -> str:
    """The text with each character of personal data as one ``•``: as long as before."""
    found = find(text, allowed)
    if not found:
        return text
    out, at = [], 0
    for one in found:
        out += [text[at : one.start], MASK * (one.end - one.start)]
        at = one.end
    return "".join([*out, text[at:]])


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum() or c in "@+")


def _candidates(text: str) -> Iterator[Personal]:
    for m in _EMAIL.finditer(text):
        yield Personal("email", *m.span())
    for m in _IDENTITY.finditer(text):
        if is_chinese_identity(m[0]):
            yield Personal("identity", *m.span())
    for m in _CARD.finditer(text):
        if is_card(m[0]) and not _names_an_article(text, m.start()):
            yield Personal("card", *m.span())
    for m in _BEHIND_A_WORD.finditer(text):
        if not _measures(text, *m.span("number")):
            yield Personal("phone", *m.span("number"))
    for form in _PHONES:
        for m in form.finditer(text):
            digits = sum(c.isdigit() for c in m[0])
            if 7 <= digits <= 15 and not _names_an_article(text, m.start()) and not _measures(text, *m.span()):
                yield Personal("phone", *m.span())


def _names_an_article(text: str, start: int) -> bool:
    return bool(_ARTICLE.search(text[max(0, start - 24) : start]))


def _measures(text: str, start: int, end: int) -> bool:
    return bool(_UNIT.match(text[end : end + 12]) or _MONEY.search(text[max(0, start - 6) : start]))


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        n = int(digit) * (1 + place % 2)
        total += n - 9 * (n > 9)
    return total % 10 == 0


def is_card(text: str) -> bool:
    """Whether the digits are a payment card's: prefix and length of an issuer, and the Luhn digit.

    Digits come in one run or in the groups that are embossed on cards. Thirteen and fourteen digits in one run are
    left to GTINs, which hold the Luhn digit one time in ten.
    """
    digits = "".join(c for c in text if c.isdigit())
    groups = [len(g) for g in re.split(r"[ -]", text)]
    if len(groups) > 1 and groups not in (
        [4, 4, 4, 4],
        [4, 6, 5],
        [4, 6, 4],
        [6, 13],
        [4, 4, 4, 4, 3],
        [4, 4, 4, 4, 2],
    ):
        return False
    two, four = int(digits[:2]), int(digits[:4])
    of_issuer = {
        14: len(groups) > 1 and (two in (36, 38, 39) or 300 <= int(digits[:3]) <= 305),  # Diners
        15: two in (34, 37),  # American Express
        16: digits[0] == "4" or 51 <= two <= 55 or 2221 <= four <= 2720 or two in (35, 62, 65) or four == 6011,
    }.get(len(digits), 17 <= len(digits) <= 19 and two == 62)  # UnionPay
    return of_issuer and luhn(digits)


def is_chinese_identity(text: str) -> bool:
    """Whether the 18 characters hold a date of birth and the right check character (GB 11643-1999)."""
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    check = "10X98765432"[sum(int(d) * w for d, w in zip(text[:17], weights, strict=True)) % 11]
    return 1900 <= born.year <= 2100 and 11 <= int(text[:2]) <= 91 and text[17].upper() == check
