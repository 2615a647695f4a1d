"""Are wrong decisions found? 5 % of all decided tags of a labelled catalogue are flipped; average precision of the list
of unlikely decisions, against the same list from folds by family alone.

    python benchmarks/label_errors.py ../shared/data --encoders var/encoders --out var/active_learning --seeds 3
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.active_learning import SETS, problem_of
from ml.evaluation.label_errors import confident_issues, out_of_fold, second_look, self_confidence
from ml.evaluation.metrics import average_precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("var/active_learning"))
    parser.add_argument("--encoders", type=Path, default=Path("var/encoders"), help="where the exported MiniLM lies")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"{'set':18}{'AP':>8}{'by family':>11}{'issues':>8}{'right of them':>15}")
    for name in options.sets.split(","):
        problem, rows = problem_of(options.data, name, options.encoders, options.out), []
        known = problem.applies
        for seed in range(options.seeds):
            wrong = (np.random.default_rng(seed).random(problem.y.shape) < 0.05) & known
            y = np.where(wrong, 1 - problem.y, problem.y).astype(np.float32)
            with threadpool_limits(1):
                p = second_look(problem.features, y, known, problem.ids, problem.families)
                apart = out_of_fold(problem.features, y, known, problem.families)
            found = confident_issues(y, p, known)
            truth = wrong[known].astype(float)
            rows.append(
                (
                    average_precision(truth, -self_confidence(y, p)[known]),
                    average_precision(truth, -self_confidence(y, apart)[known]),
                    found[known].mean(),
                    wrong[found].mean(),
                )
            )
        ap, by_family, share, right = np.mean(rows, axis=0)
        print(f"{name:18}{ap:8.3f}{by_family:11.3f}{share:8.1%}{right:15.1%}", flush=True)


if __name__ == "__main__":
    main()
