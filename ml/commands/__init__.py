"""The doors of ``python -m ml``. Each command reads a folder, tells its progress as JSON lines on standard output
(and nothing else there) and leaves its results in the folder.

Exit codes: 0 done, 1 failed (the last event says why), 2 wrong usage, 143 stopped by SIGTERM or a file ``cancel``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from ml.commands.channel import Channel

FAILED, STOPPED = 1, 143
LOOKS = {"tensorboard"}


def _commands() -> dict[str, tuple[str, Callable[[Path, Channel], dict[str, object]]]]:
    from ml.commands import evaluate, generate, score, search, simulate, tensorboard, train

    return {
        "train": ("fine-tune as config.json says; writes bundle/ and report.json", train.run),
        "search": ("try plans as config.json says; writes trials.jsonl and best.json", search.run),
        "trial": ("one plan of a search, validated on every fold; writes result.json", search.run_trial),
        "score": ("score examples.jsonl with the bundle that config.json names; writes scores.jsonl", score.run),
        "generate": ("write drafts of examples.jsonl with the bundle's generator; writes drafts.jsonl", generate.run),
        "simulate": ("replay decided products under each strategy; writes curves.csv and report.json", simulate.run),
        "tensorboard": ("the log of a run, or of a search, for TensorBoard; writes tensorboard/", tensorboard.run),
        "evaluate": ("compare two bundles, or measure one, on examples.jsonl; writes report.json", evaluate.run),
    }


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] == "export-encoder":
        from ml.encoders.export import main_export

        return main_export(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m ml", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    known = _commands()
    for name, (about, _) in known.items():
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("folder", type=Path, metavar="JOBDIR")
        command.add_argument(
            "--detached", action="store_true", help="go on when the process that started this one dies"
        )
    commands.add_parser("export-encoder", help="the packaged encoder as ONNX")
    options = parser.parse_args(arguments)
    with Channel(options.folder, detached=options.detached, looks=options.command in LOOKS) as channel:
        return channel.guard(lambda: known[options.command][1](options.folder, channel))
