"""``train``: the full tier in a folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ml.commands.channel import Channel
from ml.training.errors import TrainingError


def run(folder: Path, channel: Channel) -> dict[str, object]:
    check_installed()
    from ml.training.job import Job

    return Job(folder, channel).run()


def check_installed() -> None:
    """Raises TrainingError, saying what to install, where fine-tuning cannot be done."""
    missing = [
        name for name in ("torch", "transformers", "onnx", "onnxscript") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise TrainingError(
            f"fine-tuning needs {', '.join(missing)}, not installed here: pip install 'tagstudio[ml]'; "
            "suggestions and the instant model work without"
        )
