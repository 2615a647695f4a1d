"""``python -m ml search``: trials on whole families, pruned, killed and gone on with, and the best plan at the end."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("optuna")

from ml.training.errors import TrainingError
from ml.training.plan import Plan
from ml.training.trial import by_family
from tests.ml import tiny
from tests.ml.test_train_command import here, start, until_step

pytestmark = pytest.mark.torch
SEARCH = {"space": {"learning_rate": [1e-3, 1e-9], "head_learning_rate": [1e-2, 1e-9]}, "method": "grid", "folds": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("checkpoint"))


def asked(folder, base, search, **plan):
    tiny.job(folder, str(base), **plan)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "search": search}))
    return folder


def rows(folder):
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]


@pytest.mark.long
def test_killed_and_gone_on_with_it_tries_what_an_undisturbed_search_tries(base, tmp_path, capfd):
    whole = asked(tmp_path / "whole", base, SEARCH, epochs=3)
    code, events = here("search", whole, capfd)
    assert code == 0, events[-1]
    killed = asked(tmp_path / "killed", base, SEARCH, epochs=3)
    process = start("search", killed)
    until_step(process, 3)
    process.kill()
    process.communicate()
    code, events = here("search", killed, capfd)
    assert code == 0, events[-1]
    strip = lambda found: [(r["number"], r["changes"], r["state"], r["score"]) for r in found]  # noqa: E731
    assert strip(rows(killed)) == strip(rows(whole)) and len(rows(whole)) == 4
    best = json.loads((whole / "best.json").read_text())
    assert (best["learning_rate"], best["head_learning_rate"]) == (1e-3, 1e-2) and Plan.from_json(best)
    assert events[-1]["best"] == 1 and {r["state"] for r in rows(whole)} <= {"done", "pruned"}
    done = next(r for r in rows(whole) if r["number"] == 1)
    assert len(done["reports"]) == 6, "three epochs in two folds"
    code, again = here("search", whole, capfd)
    assert code == 0 and not any(e["event"] == "progress" for e in again), "what is done is not done again"


def test_a_search_that_makes_no_sense_is_refused_in_words(base, tmp_path, capfd):
    code, events = here("search", asked(tmp_path, base, {"space": {"epoch": [1]}}), capfd)
    assert code == 1 and "epoch is no field" in events[-1]["reason"]


def test_folds_are_whole_families_and_cover_everything():
    examples = tiny.examples(40)
    splits = by_family(examples, 4, "salt")
    assert sorted(e.id for _rest, fold in splits for e in fold) == sorted(e.id for e in examples)
    for rest, fold in splits:
        assert not {e.family for e in rest} & {e.family for e in fold}
        assert len(rest) + len(fold) == 40
    with pytest.raises(TrainingError, match="too few for 15 folds"):
        by_family(examples, 15, "salt")


def test_several_trainings_of_a_fold_are_one_way_through_it(base, tmp_path, capfd):
    """Two members and a round of recovery all begin at step 0, and what a trial reports never falls back."""
    search = {"space": {"members": [2], "learning_rate": [1e-3]}, "method": "grid", "folds": 2}
    folder = asked(tmp_path / "job", base, search, epochs=2, prune_neurons=0.25, recover_epochs=1)
    code, events = here("search", folder, capfd)
    assert code == 0, events[-1]
    places = [report[0] for report in rows(folder)[0]["reports"]]
    assert places == sorted(places) and len(places) > 6 and {1.0, 2.0} <= set(places)
