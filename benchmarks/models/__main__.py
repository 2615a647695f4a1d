"""What each option of ``ml`` gains or loses, with paired seeds and intervals.

    python -m benchmarks.models                      every noun, at most 60 minutes, in two processes
    python -m benchmarks.models tuning spans --minutes 20 --processes 1
    python -m benchmarks.models --count              what it would take, nothing measured

Each module of this package with ``rows()`` is a noun. Every measurement is appended to ``FOLDER/NOUN.runs.csv`` as it comes
and never done again: a run may be interrupted anywhere, and the same command goes on. What it will take is said first, what
is left after each row. Nouns share the time by what they want of it; one whose time is over says so, and begins there the
next time. Real catalogues are looked for in ``../shared/data`` beside the checkout or in TAGSTUDIO_SHARED.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from benchmarks.models._play import counted, kept_at, least_end, nouns, play


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nouns", nargs="*", help=f"which of {', '.join(nouns())}; all where none is named")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=2, help="of one thread each")
    parser.add_argument("--seeds", type=int, default=0, help="for nouns whose rows() takes seeds; 0 leaves it to them")
    parser.add_argument("--csv", type=Path, default=Path("var/bench-models"), help="folder of one CSV a noun")
    parser.add_argument("--count", action="store_true", help="say what it would take, and end")
    parser.add_argument("--again", action="store_true", help="forget what was measured before")
    options = parser.parse_args()
    chosen = options.nouns or nouns()
    if unknown := set(chosen) - set(nouns()):
        parser.error(f"no such noun: {', '.join(sorted(unknown))}; there are {', '.join(nouns())}")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if options.again:
        for name in chosen:
            kept_at(options.csv / f"{name}.csv").unlink(missing_ok=True)
    end, wanted = time.time() + 60 * options.minutes, {}
    for name in chosen:
        counting = counted(name, options.csv / f"{name}.csv", options.seeds)
        wanted[name] = counting.left
        minutes = sum(counting.left) / 60
        print(f"{name}: {len(counting.left)} to measure, about {minutes:.1f} min of one core; {counting.kept} kept")
    processes = max(1, min(options.processes, len(chosen)))
    least = least_end(wanted, processes) / 60
    print(f"together about {least:.0f} min in {processes} processes; {options.minutes:.0f} are allowed", flush=True)
    if not options.count:
        play(chosen, wanted, end, options.csv, options.seeds, processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
