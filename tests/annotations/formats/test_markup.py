"""Short cuts of cleaning say what the long way says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annotations.formats import markup
from annotations.formats.clean import STEPS, is_clean
from annotations.formats.markup import html_to_text

PIECES = st.sampled_from(
    ["<p>", "</p>", "<br>", "<br />", "<BR/>", "<li>", "</li>", "<ul class='a b'>", '<a href="x&amp;y">', "</a>", "<td>",
     "</td>", "<b\n>", "</b >", "<p class=x>", "<title>", "</title>", "<script>", "</script>", "<style/>", "<!-- c -->",
     "<![CDATA[x]]>", "<o:p>", "</br>", "<", ">", "&", "&lt;", "&nbsp;", "&amp;lt;b&amp;gt;", "&#8364;", "&am", "p;", " ",
     "\n", "\t", "\u3000", "a", "wool", "棉", "•", "<p", "<3", "<svg/>", "<h1>", "</H1>", "<img src='x'/>", "<a b='>'>"]
)  # fmt: skip


def the_long_way(text: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markup, "_plain", lambda text: None)
        return html_to_text(text)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
@example("<p>a<br/>b</p><ul><li>c &amp; d</li></ul>")
@example("<title>a<b>c</title>")
def test_plain_markup_needs_no_parser(text: str) -> None:
    assert html_to_text(text) == the_long_way(text)


def test_the_short_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "_Text", None)
    assert html_to_text('<div class="x"><p>A &amp; B</p><ul><li>c</li></ul></div>') == "A & B\n• c"


CHARACTERS = st.sampled_from(
    "aZ09.,;-~!  \t\n<&《》、。，！？（）棉衬衫一鿿é́“”—Ａ１０ \u3000\u200b\xad\xa0Ã¼ﬁ・々〇，\x00\x85"
)


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.text(CHARACTERS, max_size=12), st.text(max_size=6)))
@example("纯棉 衬衫，商务")
@example("棉 ")
@example("")
def test_what_is_taken_for_clean_is_left_alone_by_every_step(text: str) -> None:
    if is_clean(text):
        assert {name: step(text) for name, step in STEPS.items()} == dict.fromkeys(STEPS, text)


def test_hanzi_are_clean() -> None:
    assert all(map(is_clean, ("纯棉衬衫，商务", "100%棉 【男】", "尺寸：XL（大）")))
    assert not any(map(is_clean, ("棉  衬", " 棉", "棉 ", "棉\n衬", "棉<b>", "棉&amp;", "棉Ａ", "“棉”", "棉\u3000")))


@pytest.mark.shared
def test_real_markup_comes_out_alike(shared: Path) -> None:
    texts: list[Any] = []
    for name in ("magento_luma_en", "mall_demo_zh"):
        with gzip.open(shared / name / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts += [json.loads(line).get("description_html", "") for line in lines]
    assert len(texts) > 400
    assert [html_to_text(text) for text in texts] == [the_long_way(text) for text in texts]
