"""What the review card says in words and marks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from annotations.models import Suggestion
from annotations.models.taxonomy import in_language
from annotations.queries.cards import Card, Chip
from annotations.queries.evidence import Piece, claims_on, pieces, quotes

register = template.Library()

# Characters that a reader cannot see but a model reads. Joiners are part of many emoji, so they only count as hidden
# after a plain letter or digit.
HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
    "|(?<=[0-9A-Za-z])[\u200c\u200d]"
)


@register.filter
def visible(text: str) -> SafeString:
    """Escaped, with characters that would not show made visible by their code."""
    shown = HIDDEN.sub(lambda m: f'<span class="hid" title="U+{ord(m[0]):04X}">·</span>', str(escape(text)))
    return mark_safe(shown)  # noqa: S308  escaped in the line above


@register.simple_tag
def evidence(card: Card, field: str) -> SafeString:
    """The product's title or description with the words that speak for its tags marked in their facet's hue.

    A piece under two facets carries the first one's wash and is underlined in the second one's colour. Words that
    speak only for doubtful tags are plain until the tag has the focus.
    """
    text = getattr(card.product, field)
    return format_html_join("", "{}", ((_piece(p),) for p in pieces(text, claims_on(card, field))))


@register.simple_tag
def marked(found: Iterable[Piece]) -> SafeString:
    """A text in pieces with its evidence marked."""
    return format_html_join("", "{}", ((_piece(p),) for p in found))


def _piece(piece: Any) -> SafeString:
    if not piece.tags:
        return visible(piece.text)
    hues = " ".join(f"{kind}{hue}" for kind, hue in zip("mu", piece.hues, strict=False)) or "faint"
    tags = " ".join(map(str, piece.tags))
    return format_html('<mark class="{}" data-tags="{}">{}</mark>', hues, tags, visible(piece.text))


@register.simple_tag
def chip_why(card: Card, chip: Chip) -> str:
    """One sentence that says why the tag is on the card."""
    parts = [chip.tag.label]
    if chip.suggested:
        parts += [str(BAND_WORDS[chip.band]()), str(SOURCE_WORDS.get(chip.source, SOURCE_WORDS["model"])())]
        words = quotes(card, chip)
        parts.append(
            _("evidence %(words)s") % {"words": ", ".join(f"“{w}”" for w in words)}
            if words
            else _("no evidence in the text")
        )
    if chip.standing:
        parts.append(_("approved before") if chip.standing == "approved" else _("rejected before"))
    return " · ".join(parts)


BAND_WORDS = {
    "strong": lambda: pgettext("band", "strong"),
    "likely": lambda: pgettext("band", "likely"),
    "unsure": lambda: pgettext("band", "unsure"),
    "": lambda: "",
}
SOURCE_WORDS = {
    Suggestion.Source.MODEL.value: lambda: _("says the model"),
    Suggestion.Source.DICTIONARY.value: lambda: _("a known word for it"),
    Suggestion.Source.SOURCE.value: lambda: _("in the source data"),
    Suggestion.Source.LABEL.value: lambda: _("close to its name"),
    Suggestion.Source.LLM.value: lambda: _("says the language model"),
}


@register.simple_tag
def chip_title(chip: Chip) -> str:
    """The tooltip: what the tag means, and the only place where the exact score is said."""
    parts = [in_language(chip.tag.definitions, "")]
    if chip.score is not None:
        parts.append(_("score %(score).2f") % {"score": chip.score})
    return " · ".join(p for p in parts if p)


@register.simple_tag
def asked_because(card: Card) -> str:
    """One sentence that says why this product is asked for; empty when there is nothing to say."""
    if card.blind:
        return _("Shown without suggestions, so that the model can be measured honestly.")
    if card.item.flagged:
        return _("Flagged: %(reason)s") % {"reason": card.item.flagged}
    if word := STATUS_SENTENCES.get(card.item.status):
        return word()
    if words := _reopened(card):
        return words
    return _because(card) or _about_suggestions(card)


def _reopened(card: Card) -> str:
    """What the source no longer says of tags that were approved, while their facet is open again."""
    open_rows = {row.facet.slug: row for row in card.facets if not row.complete}
    for told in card.why.get("reopened", ()):
        row = open_rows.get(str(told.get("facet")))
        tag = next((tag.label for tag in row.tags if tag.slug == told.get("tag")), "") if row else ""
        if tag and told.get("because") == "attribute":
            return _("The source changed: its attributes no longer say “%(tag)s”. Look again.") % {"tag": tag}
        if tag:
            return _("The source changed: the words for “%(tag)s” are gone. Look again.") % {"tag": tag}
    return ""


@register.simple_tag
def asked_in_numbers(card: Card) -> str:
    """The utilities behind :func:`asked_because`, for a lead, in one sentence; empty for an order made without them."""
    said = card.why
    if card.blind or not all(isinstance(said.get(name), int | float) for name in ("doubt", "cover", "unknown")):
        return ""
    numbers = {name: round(100 * said[name]) for name in ("doubt", "cover", "unknown")}
    return (
        _(
            "Doubt %(doubt)d %% and new ground %(cover)d %% of the most there is in the queue; new ground counts %(unknown)d %%."
        )
        % numbers
    )


@register.simple_tag
def told_apart(card: Card) -> str:
    """What text and picture each say, where they say something else; of several facets the widest apart."""
    if card.blind or not card.clashes:
        return ""
    one = card.clashes[0]
    words = {
        "facet": one.facet.label, "text": one.text[0].label, "a": one.text[1], "picture": one.picture[0].label,
        "b": one.picture[1],
    }  # fmt: skip
    return _("%(facet)s: text: %(text)s %(a).2f, picture: %(picture)s %(b).2f.") % words


def _about_suggestions(card: Card) -> str:
    if not any(chip.suggested for row in card.facets for chip in row.chips):
        return _("No suggestions yet: what you add here is what the model learns from.")
    open_rows = [row for row in card.facets if not row.complete]
    if len(open_rows) == 1 < len(card.facets):
        return _("Asked because “%(facet)s” is open.") % {"facet": open_rows[0].facet.label}
    return ""


STATUS_SENTENCES = {
    "done": lambda: _("Decided before. Saving it again replaces what was decided."),
    "second_opinion": lambda: _("A second opinion is wanted."),
    "conflict": lambda: _("Reviewers disagree on this product."),
}
DOUBTS = {"uncertain", "margin", "entropy", "disagreement"}
COVERS = {"coverage", "unlike", "typical", "cold_start"}


def _because(card: Card) -> str:
    """``QueueItem.why`` as a sentence: ``reason`` is a word, ``facet`` and ``tag`` slugs say what about."""
    reason = str(card.why.get("reason", ""))
    row = next((row for row in card.facets if row.facet.slug == card.why.get("facet")), None)
    tag = next((tag.label for tag in row.tags if tag.slug == card.why.get("tag")), "") if row else ""
    words = {"facet": row.facet.label if row else "", "tag": tag}
    if reason in DOUBTS and tag:
        return _("Asked because the model cannot tell whether “%(tag)s” fits.") % words
    if reason in DOUBTS and row:
        return _("Asked because the model is unsure about “%(facet)s”.") % words
    if reason in COVERS and row:
        return _("Asked because “%(facet)s” is open and this product is unlike any you have decided on.") % words
    if reason in COVERS:
        return _("Asked because it stands for many products like it.")
    return _("Picked at random, to keep the measurements honest.") if reason in ("random", "blind") else ""


@register.filter
def band_word(band: str) -> str:
    return str(BAND_WORDS[band]())


@register.filter
def source_word(source: str) -> str:
    """Where a suggestion came from, in a word."""
    return str(Suggestion.Source(source).label) if source in Suggestion.Source.values else source


@register.filter
def path_parts(category: str) -> list[str]:
    return [part.strip() for part in category.split("/") if part.strip()]


SIGNS = {
    "accept": ("✓", "yes", lambda: _("accepted")),
    "add": ("+", "yes", lambda: _("added")),
    "reject": ("✕", "no", lambda: _("rejected")),
    "remove": ("–", "no", lambda: _("removed")),
    "undo": ("↶", "", lambda: _("undone")),
    "complete": ("·", "", lambda: _("looked at as a whole")),
}


@register.simple_tag
def verdict_sign(verdict: str) -> SafeString:
    """A sign and its word, so that state is never said by colour alone."""
    sign, kind, word = SIGNS.get(verdict, ("·", "", lambda: verdict))
    return format_html(
        '<span class="sign {}" aria-hidden="true">{}</span><span class="sr">{}</span>', kind, sign, word()
    )
