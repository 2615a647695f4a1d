"""The figures beside a plan's fields are those of ``benchmarks/README.md``, all of them, and neither changes alone."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from django.utils import translation

from annotations.forms import plan_figures
from annotations.forms.plan import PlanForm
from annotations.forms.plan_figures import AGAINST, DATA, MORE, Figure, figures, told
from annotations.forms.plan_words import FIELDS
from ml.training.plan import Plan
from ml.training.plan_fields import check

README = Path(__file__).parents[2] / "benchmarks" / "README.md"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def tables() -> list[dict[str, str]]:
    """Every row of every table that has a gain, by the head of its column; ``section`` is the heading above it. What is
    "the same" is what stands above."""
    found, head, section, former = [], [], "", ""
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ").partition(" (")[0]
        if not line.startswith("|"):
            head = []
            continue
        cells = [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")]
        if not head:
            head = cells
        elif not set("".join(cells)) <= set("-: ") and "gain" in head:
            row = dict(zip(head, cells, strict=True))
            former = row["what"] = former if row.get("what") == "the same" else row.get("what", "")
            found.append({**row, "section": section})
    return found


def rows_of(figure: Figure) -> list[dict[str, str]]:
    return [
        row
        for row in tables()
        if (row["section"], row["what"]) == (figure.section, figure.what)
        and row.get("data", figure.data) == figure.data
        and row.get("against", figure.against).startswith(figure.against)
    ]


@pytest.mark.parametrize("figure", figures(), ids=lambda f: f"{f.what}, {f.data}, {f.against}")
def test_a_figure_stands_in_a_table(figure):
    found = rows_of(figure)
    assert len(found) == 1, f"{len(found)} rows of benchmarks/README.md, {figure.section}"
    row = found[0]
    assert float(NUMBER.findall(row["gain"])[0]) == figure.gain
    low, high = ([float(n) for n in NUMBER.findall(row["95 % interval"])] + [None, None])[:2]
    assert (low, high) == (figure.low, figure.high)
    assert int(row.get("seeds") or figure.seeds) == figure.seeds
    if figure.times:
        assert f"{figure.times} times as fast" in row["note"]


def test_a_figure_is_of_a_field_and_can_be_told():
    specs = {spec.name: spec for spec in fields(Plan)}
    for figure in figures():
        check(specs[figure.field], figure.value)
        assert figure.data in DATA and figure.against in AGAINST and (figure.more in MORE or not figure.more)
    for language in ("en", "zh-hans"):
        with translation.override(language):
            for name in {f.field for f in figures()}:
                assert str(PlanForm().fields[name].help_text) == told(name) and len(told(name)) > len(FIELDS[name][1])
    with translation.override("zh-hans"):
        words = [str(w) for group in (DATA, AGAINST, MORE) for w in group.values() if w]
        assert not [w for w in words if w.isascii()], "told in Chinese"


def test_what_is_measured_for_the_options_of_a_plan_is_told():
    """A row of the options' tables whose option the page tells of somewhere has its figure there, too."""
    known = {figure.what for figure in figures()}
    due = [row for row in tables() if row["section"] == "Options of a plan" and row["what"] in known and row["gain"]]
    there = {(f.what, f.data, f.against) for f in figures()}
    missing = [
        row for row in due if row["against"] in AGAINST and (row["what"], row["data"], row["against"]) not in there
    ]
    assert due and not missing


def test_gains_losses_and_doubts_are_told_apart(monkeypatch, tmp_path):
    row = {
        "field": "loss",
        "value": "focal",
        "section": "s",
        "what": "w",
        "data": "magento_luma_en",
        "against": "plain",
    }
    several = [
        {**row, "gain": 2.0, "low": 1.0, "high": 3.0, "seeds": 5}, {**row, "gain": -2.0, "low": -3.0, "high": -0.5, "seeds": 5},
        {**row, "gain": 1.0, "low": -1.0, "high": 3.0, "seeds": 5},
        {**row, "value": "asymmetric", "gain": 5.0, "low": None, "high": None, "seeds": 1, "times": 1.5},
    ]  # fmt: skip
    (tmp_path / "f.json").write_text(json.dumps(several))
    monkeypatch.setattr(plan_figures, "FILE", tmp_path / "f.json")
    figures.cache_clear()
    try:
        said = told("loss")
    finally:
        monkeypatch.undo()
        figures.cache_clear()
    assert "what is hard more (focal): +2.0 points (1.0 to 3.0) on English fashion, a gain; -2.0" in said
    assert "a loss; +1.0 points (-1.0 to 3.0) on English fashion, no difference shown. rare tags" in said
    assert said.endswith("+5.0 points on English fashion, 1.5 times as fast, one seed, so nothing is certain.")
