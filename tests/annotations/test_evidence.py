"""Evidence: offsets are code points, spans may overlap, and the text stays what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.queries.evidence import Claimed, pieces
from annotations.templatetags.review import visible


def claimed(text: str, words: str, hue: int = 1, tag: int = 1) -> Claimed:
    start = text.index(words)
    return Claimed(start, start + len(words), hue, tag)


def marked(text: str, *claims: Claimed) -> list[str]:
    return [p.text for p in pieces(text, claims) if p.tags]


def test_chinese_after_emoji_is_marked_exactly() -> None:
    text = "⌚️👨‍👩‍👧 智能手表具有心率监测"
    assert marked(text, claimed(text, "心率监测")) == ["心率监测"]


def test_overlapping_spans_share_their_middle() -> None:
    text = "organic cotton twill"
    found = pieces(text, [claimed(text, "organic cotton", 1, 10), claimed(text, "cotton twill", 3, 20)])
    assert [(p.text, p.tags, p.hues) for p in found] == [
        ("organic ", (10,), (1,)),
        ("cotton", (10, 20), (1, 3)),
        (" twill", (20,), (3,)),
    ]


def test_doubtful_tags_paint_nothing_but_keep_their_words() -> None:
    text = "soft wool"
    found = pieces(text, [claimed(text, "soft wool", 1, 10), Claimed(5, 9, 3, 20, faint=True)])
    assert [(p.text, p.tags, p.hues) for p in found] == [("soft ", (10,), (1,)), ("wool", (10, 20), (1,))]
    assert pieces(text, [Claimed(0, 4, 2, 7, faint=True)])[0].hues == ()


def test_spans_beyond_the_text_are_cut_or_left_out() -> None:
    assert marked("wool", Claimed(0, 99, 1, 1)) == ["wool"]
    assert marked("wool", Claimed(7, 9, 1, 1), Claimed(-3, 2, 1, 1), Claimed(2, 2, 1, 1)) == []
    assert pieces("", [Claimed(0, 3, 1, 1)]) == []


@pytest.mark.long
@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(-5, 45), st.integers(-5, 45), st.integers(1, 6), st.integers(1, 9)), max_size=8),
)
def test_pieces_are_the_text_again(text: str, spans: list[tuple[int, int, int, int]]) -> None:
    claims = [Claimed(*span) for span in spans]
    found = pieces(text, claims)
    assert "".join(p.text for p in found) == text
    at = 0
    for piece in found:
        over = {c.tag for c in claims if 0 <= c.start <= at < min(c.end, len(text))}
        assert set(piece.tags) == over
        at += len(piece.text)


def test_what_hides_is_shown_and_what_is_markup_is_text() -> None:
    assert "U+200B" in visible("cot\u200bton")
    assert "U+202E" in visible("\u202egnp.exe")
    assert visible("<script>") == "&lt;script&gt;"
    assert visible("👨\u200d👩\u200d👧") == "👨\u200d👩\u200d👧"
