"""Numbers with a unit, in the spellings that shops use."""

from __future__ import annotations

import pytest

from annotations.formats.quantities import NotANumber, UnknownUnit, in_unit, written


@pytest.mark.parametrize(
    "text", ["1.5 kg", "1500 g", "1,5 kg", "1.5千克", "1.5公斤", "3斤", "1,500 g", "1 500g", "１．５ＫＧ"]
)
def test_one_quantity_whatever_its_writing(text: str) -> None:
    assert in_unit(text, "kg") == 1.5
    assert written(in_unit(text, "kg"), "kg") == "1.5 kg"


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ('15.6"', "cm", 39.624), ("33 cl", "ml", 330), ("12 fl. oz.", "ml", 354.882355), ("2 kW", "W", 2000),
        ("1 TB", "GB", 1000), ("1 MiB", "B", 1048576), ("90分钟", "h", 1.5), ("5 MW", "mW", 5e9), (".5 l", "ml", 500),
        ("1.234,5 g", "g", 1234.5), ("1,234,567.5", "g", 1234567.5), ("0,500 kg", "g", 500), ("-5", "°C", -5),
        ("2 Carat", "carat", 2), ("0", "g", 0),
    ],
)  # fmt: skip
def test_units_of_one_kind(text: str, unit: str, number: float) -> None:
    assert in_unit(text, unit) == number


@pytest.mark.parametrize(
    "text", ["big", "", "1½ kg", "10-20 cm", "2 x 500 g", "1.2.3 kg", "12,34,5 g", "1e5", "6 ft 2 in"]
)
def test_what_is_no_single_number(text: str) -> None:
    with pytest.raises(NotANumber):
        in_unit(text, "cm")


@pytest.mark.parametrize(("text", "unit"), [("5 furlongs", "m"), ("5 kg", "m"), ("5 mw", "mW"), ("5 g", "carat")])
def test_a_unit_that_does_not_fit_is_named(text: str, unit: str) -> None:
    with pytest.raises(UnknownUnit) as no:
        in_unit(text, unit)
    assert no.value.unit == text.split()[1]


def test_numbers_are_written_without_exponents() -> None:
    assert [written(n, "g") for n in (5e9, 1e-7, 2.0, 0.1)] == ["5000000000 g", "0.0000001 g", "2 g", "0.1 g"]
