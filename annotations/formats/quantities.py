"""Numbers with a unit as people write them: "1.5 kg", "1500 g", "1,5 kg" and "1.5千克" are one quantity."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

# Factors to the dimension's first unit, exact by definition: the international yard and pound agreement (1959) for
# inches and pounds, the US gallon of 231 cubic inches, IEC 80000-13 for MiB and its like, 500 g for the market's 斤.
_UNITS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "mass": {
        "1": ("g", "gr", "gram", "grams", "gramm", "克"),
        "0.001": ("mg", "milligram", "milligrams", "毫克"),
        "1000": ("kg", "kgs", "kilo", "kilos", "kilogram", "kilograms", "kilogramm", "千克", "公斤"),
        "1000000": ("t", "tonne", "tonnes", "吨"),
        "500": ("斤", "市斤"),
        "28.349523125": ("oz", "ounce", "ounces", "盎司"),
        "453.59237": ("lb", "lbs", "pound", "pounds", "磅"),
    },
    "length": {
        "1": ("mm", "millimeter", "millimeters", "millimetre", "millimetres", "毫米"),
        "0.001": ("µm", "um", "micron", "microns", "微米"),
        "10": ("cm", "centimeter", "centimeters", "centimetre", "centimetres", "厘米", "公分"),
        "100": ("dm", "分米"),
        "1000": ("m", "meter", "meters", "metre", "metres", "米"),
        "1000000": ("km", "kilometer", "kilometers", "kilometre", "kilometres", "公里", "千米"),
        "25.4": ("in", "inch", "inches", "zoll", '"', "″", "”", "''", "英寸"),
        "304.8": ("ft", "foot", "feet", "'", "′", "’", "英尺"),
        "914.4": ("yd", "yard", "yards", "码"),
    },
    "volume": {
        "1": ("ml", "milliliter", "milliliters", "millilitre", "millilitres", "cc", "毫升"),
        "10": ("cl",),
        "100": ("dl",),
        "1000": ("l", "liter", "liters", "litre", "litres", "升", "公升"),
        "1000000": ("m3", "立方米"),
        "29.5735295625": ("fl oz", "fl. oz.", "floz", "fluid ounce", "fluid ounces"),
        "3785.411784": ("gal", "gallon", "gallons", "加仑"),
    },
    "power": {
        "1": ("W", "watt", "watts", "瓦", "瓦特"),
        "0.001": ("mW", "milliwatt", "milliwatts", "毫瓦"),
        "1000": ("kW", "kilowatt", "kilowatts", "千瓦"),
        "1000000": ("MW", "megawatt", "megawatts", "兆瓦"),
    },
    "storage": {
        "1": ("B", "byte", "bytes", "字节"),
        "1000": ("kB", "kilobyte", "kilobytes"),
        "1000000": ("MB", "megabyte", "megabytes", "兆字节"),
        "1000000000": ("GB", "gigabyte", "gigabytes", "吉字节"),
        "1000000000000": ("TB", "terabyte", "terabytes", "太字节"),
        "1024": ("KiB",),
        "1048576": ("MiB",),
        "1073741824": ("GiB",),
        "1099511627776": ("TiB",),
    },
    "time": {
        "1": ("s", "sec", "secs", "second", "seconds", "秒"),
        "0.001": ("ms", "millisecond", "milliseconds", "毫秒"),
        "60": ("min", "mins", "minute", "minutes", "分钟", "分"),
        "3600": ("h", "hr", "hrs", "hour", "hours", "小时", "时"),
        "86400": ("d", "day", "days", "天", "日"),
    },
}
_DIGITS = 9
"""Figures that two writings of one quantity must share: 5.9 in and 149.86 mm are the same, 1 kg and 1.0001 kg are not."""
_QUANTITY = re.compile(r"([+-]?)\s*((?:\d[\d.,\s']*)?\d|[.,]\d+)\s*(\D.{0,30})?", re.DOTALL)
_GROUPS = re.compile(r"\d{1,3}(?:[\s']\d{3})+(?:[.,]\d+)?")


class NotANumber(ValueError):
    """The text is no single number with at most a unit behind it."""


class UnknownUnit(ValueError):
    """The number's unit, ``unit``, can't be told in the unit that is wanted."""

    def __init__(self, unit: str) -> None:
        super().__init__(unit)
        self.unit = unit


def _spelled() -> tuple[dict[str, tuple[str, Decimal]], dict[str, tuple[str, Decimal]]]:
    """Units by their exact spelling, and those by their folded one that it leaves without doubt (mW and MW do not)."""
    exact: dict[str, tuple[str, Decimal]] = {}
    folded: dict[str, set[tuple[str, Decimal]]] = {}
    for dimension, units in _UNITS.items():
        for factor, spellings in units.items():
            for spelling in spellings:
                exact[_plain(spelling)] = dimension, Decimal(factor)
                folded.setdefault(_plain(spelling).casefold(), set()).add((dimension, Decimal(factor)))
    return exact, {name: next(iter(meant)) for name, meant in folded.items() if len(meant) == 1}


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).replace("−", "-").split())


_EXACT, _FOLDED = _spelled()


def in_unit(text: str, unit: str) -> float:
    """The quantity that a text says, in ``unit``, to nine figures. A bare number is in that unit already.

    A comma or point before the last figures is the decimal one, unless three figures follow a comma ("1,500 g" are one
    and a half kilograms, "1.500 kg" too); "1 500" and "1.500,5" are read with their groups. A unit that no table has
    (carat) is known where it is the one wanted. Raises NotANumber, or UnknownUnit where the units differ in kind.
    """
    found = _QUANTITY.fullmatch(_plain(text))
    if found is None:
        raise NotANumber(text)
    sign, figures, said = found[1], found[2], (found[3] or "").strip()
    number = _number(figures, text)
    number = -number if sign == "-" else number
    wanted = _plain(unit)
    same = said.casefold() == wanted.casefold() and _meant(said) == _meant(wanted)
    if said and not same:
        here, there = _meant(said), _meant(wanted)
        if here is None and (re.search(r"\d", said) or said[0] in "-/⁄x×*~"):  # a range, a size, a fraction
            raise NotANumber(text)
        if here is None or there is None or here[0] != there[0]:
            raise UnknownUnit(said)
        number = number * here[1] / there[1]
    return float(f"{number:.{_DIGITS}g}") + 0.0  # no minus nothing


def _meant(unit: str) -> tuple[str, Decimal] | None:
    return _EXACT.get(unit) or _FOLDED.get(unit.casefold()) or _EXACT.get(unit.rstrip("."))


def _number(figures: str, text: str) -> Decimal:
    if re.search(r"[\s']", figures):
        if not _GROUPS.fullmatch(figures):
            raise NotANumber(text)
        figures = re.sub(r"[\s']", "", figures)
    last = max(figures.rfind("."), figures.rfind(","))
    mark = figures[last] if last >= 0 else "."
    other = "," if mark == "." else "."
    grouped = figures.count(mark) > 1 or (mark == "," and re.fullmatch(r"[1-9]\d{0,2},\d{3}", figures))
    whole, part = (figures, "") if last < 0 or grouped else (figures[:last], figures[last + 1 :])
    group = mark if grouped else other
    if (group in whole and not re.fullmatch(rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+", whole)) or other in part:
        raise NotANumber(text)
    digits = whole.replace(group, "")
    if not (digits + part).isascii() or len(digits) > 15 or not (digits + part).isdecimal():
        raise NotANumber(text)
    return Decimal(f"{digits or 0}.{part[:30] or 0}")


def written(number: float, unit: str) -> str:
    """As a tag's label says it: without zeros at the end or an exponent, the unit behind a space."""
    figures = f"{Decimal(repr(number)).normalize():f}"
    return f"{figures} {unit}".strip()
