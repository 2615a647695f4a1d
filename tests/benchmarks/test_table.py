"""The table of ``make bench-models``, and the list of ``make bench``."""

from __future__ import annotations

import csv
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import benchmarks.__main__ as listing
import benchmarks.models._play as runner
from benchmarks.models._kept import Once, read
from benchmarks.models.table import HEAD, Missing, Row, bootstrap, text, write_csv


def test_the_interval_is_that_of_scipys_percentile_bootstrap():
    from scipy import stats

    few, many = [0.4, -0.1, 0.9, 0.3, 0.2], list(np.random.default_rng(1).normal(1, 2, 20))
    for values in (few, many):
        peer = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
        assert bootstrap(values) == pytest.approx((peer.low, peer.high), abs=0.08)
    assert bootstrap(few) == bootstrap(few[::-1]), "every resample, so the order is nothing"


def test_gains_are_paired_and_losses_stay():
    row = Row("new", "x", "F1", "old", [10.0, 20.0, 30.0], [11.0, 21.0, 31.0], 5.0)
    cells = dict(zip(HEAD, row.cells(), strict=True))
    assert cells["gain"] == "-1.00" and cells["95 % interval"] == "[-1.00, -1.00]" and cells["seeds"] == "3"
    assert "-1.00" in text([row])
    with pytest.raises(ValueError, match="2 values beside 1"):
        Row("new", "x", "F1", "old", [1.0, 2.0], [1.0])


def noun(monkeypatch, name, rows):
    module = types.ModuleType(f"benchmarks.models.{name}", "A noun.")
    module.rows = rows
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_noun_goes_on_where_it_was_cut_off(tmp_path, monkeypatch, capsys):
    made, cut = [], [KeyboardInterrupt()]

    def rows(once, seeds=3):
        for number in range(2):
            found = [once(f"{number} {s}", 5.0, lambda s=s: made.append(s) or {"f1": 10.0 * s}) for s in range(seeds)]
            yield Row(f"row {number}", "x", "F1", "", [f["f1"] for f in found])
            if made and cut:
                raise cut.pop()

    noun(monkeypatch, "quick", rows)
    csv_file = tmp_path / "quick.csv"
    assert runner.counted("quick", csv_file).left == [5.0] * 6 and not made, "counting measures nothing"
    with pytest.raises(KeyboardInterrupt):
        runner.run("quick", 60.0, csv_file)
    counting = runner.counted("quick", csv_file)
    assert (len(counting.left), counting.kept) == (3, 3)
    runner.run("quick", -1.0, csv_file)
    said = capsys.readouterr().out
    assert "1 rows" in said and "Its time was over" in said and len(made) == 3, "what is kept comes without time, too"
    runner.run("quick", 60.0, csv_file, left=counting.left)
    said = capsys.readouterr().out
    assert "2 rows" in said and "0 measurements left" in said and made == [0, 1, 2, 0, 1, 2]
    with csv_file.open(newline="") as lines:
        assert [r["values"] for r in csv.DictReader(lines)] == ["0.0000 10.0000 20.0000"] * 2


def test_what_a_kill_left_of_a_line_is_measured_again(tmp_path):
    path, made = tmp_path / "x.runs.csv", []

    def make():
        made.append(1)
        return {"f1": 1.5}

    for key in ("a, with a comma", "b"):
        Once(path)(key, 1.0, make)
    path.write_bytes(path.read_bytes()[:-9])
    assert set(read(path)) == {"a, with a comma"}
    once = Once(path)
    assert once("b", 1.0, make)["f1"] == once("a, with a comma", 1.0, make)["f1"] == 1.5 and len(made) == 3
    assert set(read(path)) == {"a, with a comma", "b"}, "the torn line spoils no other"


def test_what_is_not_here_is_said(tmp_path, monkeypatch, capsys):
    def missing():
        raise Missing("no catalogue here")
        yield

    noun(monkeypatch, "absent", missing)
    assert runner.counted("absent", tmp_path / "absent.csv").left == []
    runner.run("absent", 60.0, tmp_path / "absent.csv")
    assert "no catalogue here" in capsys.readouterr().out
    assert not (tmp_path / "absent.csv").exists()
    write_csv(tmp_path / "new" / "again.csv", [Row("row", "x", "F1", "", [1.0])])


def test_processes_take_the_longest_noun_first():
    wanted = {"c": [20.0], "a": [50.0, 10.0], "d": [], "b": [30.0]}
    assert runner.in_turn(list(wanted), wanted) == ["a", "b", "c", "d"]
    assert runner.least_end(wanted, 2) == 60.0 and runner.least_end(wanted, 1) == 110.0
    assert runner.share([60.0, 30.0, 20.0, 0.0], 2, 60.0) == 60.0, "no longer than there is time"
    assert runner.share([30.0, 20.0, 10.0], 2, 20.0) == 20.0 and runner.share([20.0, 60.0], 2, 20.0) == 10.0
    assert runner.share([0.0], 2, 20.0) == 20.0 and runner.share([5.0], 2, -1.0) == 0.0


@pytest.mark.long
def test_the_command_plays_nouns_in_processes_of_their_own(tmp_path):
    """Without time, so that each says what was not done."""
    command = ["-m", "benchmarks.models", "semi", "chinese", "--minutes", "0", "--csv", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=Path(runner.__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "in 2 processes" in done.stdout
    for name in ("semi", "chinese"):
        assert f"{name}: 0 rows in" in done.stdout


def test_every_benchmark_is_listed_with_what_it_needs(capsys, monkeypatch):
    assert set(listing.NEEDS) == set(listing.found()) and set(listing.QUICK) <= set(listing.found())
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    assert listing.main() == 0
    said = capsys.readouterr().out
    assert "false alarms on stationary replays" in said and "small-text" in said
    monkeypatch.setattr(sys, "argv", ["benchmarks", "reviewers"])
    with pytest.raises(SystemExit):
        listing.main()
