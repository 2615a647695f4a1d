"""Each cleaning step on its own, and what must stay as it is."""

from __future__ import annotations

import pytest

from annotations.formats.clean import STEPS, clean_text, is_clean, relocate

from .helpers import read


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("control", "a\x00b\x0bc\ufeff", "abc"),
        ("control", "tab\tand\nnewline stay", "tab\tand\nnewline stay"),
        ("control", "zero\u200bwidth stays to be shown", "zero\u200bwidth stays to be shown"),
        ("mojibake", "fÃ¼r MÃ¤nner â€“ schÃ¶n", "für Männer – schön"),
        ("mojibake", "für Männer – schön", "für Männer – schön"),
        ("mojibake", "纯棉衬衫，商务", "纯棉衬衫，商务"),
        ("html", "<p>One</p><p>Two<br/>three</p>", "One\nTwo\nthree"),
        ("html", "<ul><li>A</li><li>B &amp; C</li></ul>", "• A\n• B & C"),
        ("html", "a < b and 3 > 2, <3", "a < b and 3 > 2, <3"),
        ("html", "x<script>alert('1')</script>y<style>p{}</style>z", "xyz"),
        ("html", "&lt;p&gt;escaped &lt;b&gt;twice&lt;/b&gt;&lt;/p&gt;", "escaped twice"),
        ("html", '<p>cut off in a tag <img src="http://x/', "cut off in a tag"),
        ("html", "<p>line\nbroken  in\tthe source</p>", "line broken in the source"),
        ("html", "<p>never closed <b>bold", "never closed bold"),
        ("entities", "Lycra&reg; &amp;amp; co", "Lycra® & co"),
        ("entities", "AT&T; R&D", "AT&T; R&D"),
        ("compatibility", "ＡＢ１２ ﬁne\xa0e\u0301", "AB12 fine é"),
        ("compatibility", "纯棉，舒适！（经典）", "纯棉，舒适！（经典）"),
        ("compatibility", "5 m² ½ ™", "5 m² ½ ™"),
        ("space", "  a \t b \r\n\r\n\r\n\r\n c  ", "a b\n\nc"),
    ],
)
def test_a_step(step: str, before: str, after: str) -> None:
    assert STEPS[step](before) == after
    assert STEPS[step](after) == after


def test_what_changed_is_told_and_the_original_kept() -> None:
    text, changed = clean_text("<p>fÃ¼r&nbsp;alle</p>")
    assert text == "für alle" and changed == ["mojibake", "html"]
    assert clean_text("a  b", steps=("html",)) == ("a  b", [])
    assert clean_text("a\nb", single=True) == ("a b", ["one-line"])
    rows, _ = read(b"id,title,description\n1,<b>Shirt</b>,plain\n")
    assert rows[0].title == "Shirt" and rows[0].cleaned == {"title": ["html"]}
    assert rows[0].raw["title"] == "<b>Shirt</b>"
    assert read(b"id,title\n1,<b>Shirt</b>\n", steps=())[0][0].title == "<b>Shirt</b>"


def test_text_that_is_clean_is_left_alone_by_every_step() -> None:
    for text in ("A plain shirt (cotton), 50 %", "", "x"):
        assert is_clean(text) and all(step(text) == text for step in STEPS.values())
    for text in ("ä", "a\tb", "<b>", "&amp;", "a  b", " a", "a ", "\x01"):
        assert not is_clean(text)


def test_spans_follow_the_text_or_are_left_out_with_a_warning() -> None:
    before, after = "<b>Red</b>  shirt, red cuffs", "Red shirt, red cuffs"
    assert relocate({"start": 19, "end": 22, "facet": "c"}, before, after) == {
        "start": 11, "end": 14, "facet": "c", "text": "red",
    }  # fmt: skip
    assert relocate({"start": 0, "end": 3}, before, after) is None
    with pytest.raises(ValueError, match="no range"):
        relocate({"start": 5, "end": 500}, before, after)
    with pytest.raises(ValueError, match="not what"):
        relocate({"start": 0, "end": 3, "text": "abc"}, before, after)
    line = (
        b'{"id": "1", "title": "A  red\\u00a0shirt", "spans": ['
        b'{"start": 3, "end": 12, "facet": "c", "text": "red\\u00a0shirt", "field": "title"},'
        b'{"start": 0, "end": 99, "field": "title"}, {"start": 0, "end": 1, "field": "nowhere"}, 5]}\n'
    )
    rows, problems = read(line, "p.jsonl")
    assert rows[0].title == "A red shirt"
    assert rows[0].spans == [{"start": 2, "end": 11, "facet": "c", "text": "red shirt", "field": "title"}]
    assert [(p.code, p.severity) for p in problems] == [("bad-span", "warning")] * 3


def test_wrongly_decoded_chinese_is_mended_before_its_control_characters_are_dropped() -> None:
    wrong = "扫地机器人 静音大吸力".encode().decode("latin-1")
    assert any("\x80" <= c <= "\x9f" for c in wrong)
    assert clean_text(wrong)[0] == "扫地机器人 静音大吸力"
