"""What is measured here, what each needs, and the quick ones run by name.

python -m benchmarks                   the list
python -m benchmarks knowledge drift   run these with arguments that keep them to minutes
python -m benchmarks.NAME --help       one by itself, with all that it can be told
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("TAGSTUDIO_SHARED") or HERE.parent.parent / "shared")
DATA = str(SHARED / "data")
NOT_RUN = {"unguarded"}  # a part of another

NEEDS = {
    "active_learning": "catalogues; MiniLM exported; small-text and matplotlib (extra bench) for its peer; an hour",
    "broken_files": "nothing; 15 minutes",
    "calibration": "catalogues",
    "dashboard": "nothing; minutes",
    "drift": "catalogues",
    "effort": "a catalogue; minutes for each way",
    "evidence": "catalogues; MiniLM exported for its second part",
    "families": "a catalogue",
    "generated": "a folder to write to",
    "imports": "nothing; half an hour; PostgreSQL where DATABASE_URL says so",
    "instant_scale": "nothing; 10 minutes and 1 GB",
    "instant_vs_sklearn": "catalogues; an hour for all of them",
    "intake": "raw files of the catalogues",
    "knowledge": "catalogues",
    "label_errors": "catalogues; MiniLM exported",
    "loop": "a catalogue; an installation of its own",
    "models": "catalogues; torch and the packaged encoder; an hour for every noun (make bench-models)",
    "product_list": "nothing; minutes",
    "query_speed": "small-text (extra bench) for its peer",
    "review_keys": "Chromium",
    "review_screen": "Chromium; minutes",
    "reviewers": "nothing; PostgreSQL where DATABASE_URL says so; a quiet machine",
    "serving": "catalogues; MiniLM exported",
    "taxonomy": "Shopify's taxonomy",
    "training_speed": "catalogues; torch and the packaged encoder; a quiet machine",
    "training_walk": "Chromium; torch and the packaged encoder",
    "variants": "catalogues; minutes for each seed",
}
QUICK = {
    "calibration": [DATA, "--seeds", "3", "--sets", "magento_luma_en,yanxuan_zh"],
    "drift": [DATA, "--seeds", "3"],
    "families": ["--products", "10000"],
    "knowledge": [DATA, "--seeds", "2", "--sets", "magento_luma_en"],
    "models": ["--minutes", "10"],
    "training_speed": [DATA, "--threads", "1", "--seconds", "6"],
}
"""What ``make bench NAMES=…`` runs, with arguments that keep each to minutes; the others want to be started by hand."""


def found() -> dict[str, str]:
    """Name and first line of every benchmark there is, read without importing it."""
    files = {p.stem: p for p in HERE.glob("*.py") if p.stem != "__main__"}
    files["models"] = HERE / "models" / "__main__.py"
    lines = {n: (ast.get_docstring(ast.parse(p.read_text("utf-8"))) or "").split("\n")[0] for n, p in files.items()}
    return {name: lines[name] for name in sorted(lines) if name not in NOT_RUN}


def run(name: str) -> int:
    paths = os.pathsep.join([str(HERE.parent), str(HERE)])
    print(f"== {name} {' '.join(QUICK[name])}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}", *QUICK[name]]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, cwd=HERE.parent, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of the quick ones: {', '.join(QUICK)}")
    names = parser.parse_args().names
    if slow := [name for name in names if name not in QUICK]:
        parser.error(f"not among the quick ones ({', '.join(QUICK)}): {', '.join(slow)}; see --help")
    if names:
        return max([run(name) for name in names])
    for name, line in found().items():
        print(
            f"{name}{' (quick)' if name in QUICK else ''}\n    {line}\n    needs: {NEEDS.get(name, 'see its --help')}"
        )
    there = "are here" if Path(DATA).is_dir() else "are missing"
    print(f"\nCatalogues {there} ({DATA}). Quick ones run by name: make bench NAMES='drift knowledge'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
