"""What workers wrote in English is told in the reader's language."""

from __future__ import annotations

import struct

import pytest
from django.utils.translation import override

from annotations.formats.messages import DETAILS
from annotations.formats.rows import FileRefused
from annotations.models import Job
from annotations.queries.jobs import job_status
from annotations.retelling import PLACEHOLDER, read_mo, retell, retell_all

TOLD = {
    "Storing suggestions": "正在保存建议",
    "Reading 1200 products": "正在读取 1200 件商品",
    "pre-training, epoch 2 of 3": "预训练，第 2/3 轮",
    "The disk is full. (tried 3 times)": "磁盘已满。（已尝试 3 次）",
    "“shoes” has no tag of this name.": "“shoes”没有叫这个名称的标签。",
    str(FileRefused("zip-limit", detail="more than 9 files")): "压缩包超出限制：超过 9 个文件。请拆分。",
    str(FileRefused("broken-json", line=1, column=7, detail="Expecting value")): (
        "文件不是有效的 JSON：第 1 行第 7 列：此处应有值。"
    ),
}


@pytest.mark.parametrize("english", TOLD)
def test_sentences_are_told_in_the_readers_language(english):
    with override("zh-hans"):
        assert retell(english) == TOLD[english]
    with override("en"):
        assert retell(english) == english


@pytest.mark.parametrize("text", ["", "shoes.csv", "12 of 40", "Segmentation fault", "Storing suggestions of mine"])
def test_what_nobody_wrote_stays_as_it_is(text):
    with override("zh-hans"):
        assert retell(text) == text


def test_languages_without_a_catalogue_read_english():
    with override("de"):
        assert retell("Storing suggestions") == "Storing suggestions"


def test_params_are_told_and_numbers_stay():
    with override("zh-hans"):
        assert retell_all({"detail": "a web page", "limit": 7, "name": "Größe"}) == {
            "detail": "网页", "limit": 7, "name": "Größe",
        }  # fmt: skip


def test_every_detail_is_told():
    with override("zh-hans"):
        for detail in DETAILS:
            text = PLACEHOLDER.sub("7", detail)
            assert retell(text) != text, detail


@pytest.mark.django_db
def test_jobs_are_told_in_the_readers_language():
    job = Job.objects.create(kind="score", queue="ml", step="Storing suggestions", error="The disk is full.")
    assert (job_status(job).step, job_status(job).error) == ("Storing suggestions", "The disk is full.")
    with override("zh-hans"):
        assert (job_status(job).step, job_status(job).error) == ("正在保存建议", "磁盘已满。")


def test_reads_compiled_catalogues_of_either_byte_order(tmp_path):
    for order, magic in (("<", 0x950412DE), (">", 0x950412DE)):
        ids, texts = b"a\0", "ä\0".encode()
        head = struct.pack(f"{order}7I", magic, 0, 1, 28, 36, 0, 44)
        body = struct.pack(f"{order}4I", 1, 44, len(texts) - 1, 44 + len(ids))
        (tmp_path / "x.mo").write_bytes(head + body + ids + texts)
        assert read_mo(tmp_path / "x.mo") == {"a": "ä"}
