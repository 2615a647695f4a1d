"""A child's silence: counted while somebody listens, and not while the listener himself stood still."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from annotations.tasks import watched
from annotations.tasks.watched import Watched


def test_silence_is_counted_while_one_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    child = Watched([sys.executable, "-c", "import time; time.sleep(300)"], folder=tmp_path)
    try:
        monkeypatch.setattr(watched.time, "monotonic", lambda: clock[0])
        child.heard_at = child._looked_at = clock[0]
        for second in range(1, 41):
            clock[0] += 1.0
            assert child.silence() == second, "looked at each second it adds up"
        clock[0] += 3600.0
        assert child.silence() == 0.0, "halted with its listener, it was not silent"
        clock[0] += 1.0
        assert child.silence() == 1.0
    finally:
        monkeypatch.undo()
        child.kill()
