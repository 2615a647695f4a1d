"""The README's walk runs as it is written; only the preset is made small and the checkpoint a tiny one."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

import ml
from ml.examples import write_jsonl
from tests.ml import tiny

pytestmark = [pytest.mark.torch, pytest.mark.long]


def test_the_walk(tmp_path, monkeypatch):
    base = tiny.checkpoint(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ml.encoders.packaged.packaged_folder", lambda: base)
    tiny.schema().save(tmp_path / "schema.json")
    write_jsonl(tmp_path / "products.jsonl", tiny.examples(80))
    text = (Path(ml.__file__).parent / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 7
    program = "\n".join(blocks)
    small = f"""{{
        "preset": "quick", "base": {str(base)!r}, "epochs": 2, "max_length": 32, "threads": 1,
        "layers": 1, "width": 64, "vocabulary": 400, "generation_epochs": 1, "generation_length": 32,
    }}"""
    assert program.count('{"preset": "quick"}') == 1
    names: dict[str, object] = {}
    threads = torch.get_num_threads()
    exec(compile(program.replace('{"preset": "quick"}', small), "README.md", "exec"), names)
    torch.set_num_threads(threads)
    assert names["report"].products == len(names["test"]) and len(names["losses"]) > 2
    assert names["found"].chosen.sum(1).tolist() == [2, 2, 2] and len(names["drafts"]) == 3
    assert names["done"]["metrics"]["products"] > 0
