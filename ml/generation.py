"""Products as sequences: what a generator reads, what it writes, and the way from there back to known tags. No torch.

A source is control words (what is wanted) and then the product; a target is tags or a text. Control words are tokens of
their own, so that nothing a product says is taken for one. Tags are written facet by facet in the schema's order:
``<facet> colour <tag> black <tag> white <facet> use <tag> travel``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tokenizers import AddedToken, Tokenizer

from ml.examples import Example
from ml.schema import FacetSpec, Schema, TagSpec, below
from ml.text import fold, render

TASK, LANGUAGE, COUNT, FACET, TAG, PRODUCT = "<task>", "<language>", "<count>", "<facet>", "<tag>", "<product>"
CONTROL_WORDS = (TASK, LANGUAGE, COUNT, FACET, TAG, PRODUCT)
TAGS = "tags"
TEXTS = ("title", "selling_points", "keywords")


@dataclass(frozen=True, slots=True)
class Control:
    """What is wanted: ``kind`` is ``tags`` or one of TEXTS; ``facets`` are slugs, none meaning all that apply;
    ``count`` is how many tags, 0 leaving it open; ``language`` is that of the labels, or of the text."""

    kind: str = TAGS
    facets: tuple[str, ...] = ()
    count: int = 0
    language: str = "en"


def source(schema: Schema, example: Example, control: Control) -> str:
    """The text a generator reads. For tags the product as ``ml.text.render`` has it; for texts its category, its
    approved tags and, unless the title itself is wanted, its title."""
    words = [TASK, control.kind, LANGUAGE, control.language]
    if control.count:
        words += [COUNT, str(control.count)]
    for slug in control.facets:
        words += [FACET, _clean(_facet_label(schema.facet(slug), control.language))]
    if control.kind == TAGS:
        return " ".join([*words, PRODUCT, _clean(render(example).text)])
    product = [example.category.replace("/", " / ")]
    if control.kind != "title":
        product.append(example.texts.get("title", ""))
    words += [PRODUCT, *(_clean(p) for p in product if p)]
    for facet in schema.facets:
        chosen = [t for t in facet.tags if t.slug in example.labels.get(facet.slug, ())]
        if chosen:
            words += [FACET, _clean(_facet_label(facet, control.language))]
            words += [w for t in chosen for w in (TAG, _clean(t.label(control.language)))]
    return " ".join(words)


def answered(schema: Schema, example: Example) -> list[str]:
    """Facets that apply and that somebody answered as a whole: complete, or single-choice with its tag."""
    found = []
    for facet in schema.facets:
        known = {t.slug for t in facet.tags}
        settled = facet.single and bool(known & set(example.labels.get(facet.slug, ())))
        if facet.applies(example.category) and known and (settled or facet.slug in example.complete):
            found.append(facet.slug)
    return found


def columns_of(schema: Schema, example: Example, facets: Iterable[str]) -> list[int]:
    """Columns of the example's approved tags in these facets, in the schema's order."""
    wanted = set(facets)
    pairs = [(f, t) for f, tags in example.labels.items() if f in wanted for t in tags]
    return sorted(c for f, t in pairs if (c := schema.column(f, t)) is not None)


def languages(schema: Schema) -> list[str]:
    """Languages that most tags have a label in, in alphabetical order; English where there is none."""
    counts: dict[str, int] = {}
    for spec in schema.tag_specs:
        for language in spec.labels:
            counts[language] = counts.get(language, 0) + 1
    return sorted(name for name, n in counts.items() if 2 * n >= len(schema.columns)) or ["en"]


def add_control_words(tokenizer: Tokenizer) -> None:
    """Make every control word one token, whatever the tokenizer does with text."""
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in CONTROL_WORDS])


@dataclass(frozen=True, slots=True)
class Parsed:
    """``columns`` that a sequence names, in its order and once each; ``unknown``: how many pieces name no known tag."""

    columns: tuple[int, ...]
    unknown: int = 0


class TagSequences:
    """The tags of a schema as token ids in one language, and back.

    Names are compared as the tokenizer gives them back, without blanks and case, so that a written name is found however
    it was cut. Two names of one facet that would read alike get their slug behind them.
    """

    def __init__(self, schema: Schema, tokenizer: Tokenizer, language: str = "en") -> None:
        self.schema, self.tokenizer = schema, tokenizer
        self.facet_id, self.tag_id = (_id(tokenizer, word) for word in (FACET, TAG))
        self.facet_names, self._facets = self._distinct((f.slug, _facet_label(f, language)) for f in schema.facets)
        self.tag_names: list[tuple[int, ...]] = []
        self._tags: list[dict[str, int]] = []
        for facet in schema.facets:
            names, keys = self._distinct((t.slug, t.label(language)) for t in facet.tags)
            self._tags.append({key: place + len(self.tag_names) for key, place in keys.items()})
            self.tag_names += names
        self.facet_of = [place for place, facet in enumerate(schema.facets) for _ in facet.tags]

    def write(self, columns: Iterable[int]) -> list[int]:
        """Token ids of these tags, without the end token."""
        out: list[int] = []
        facet = -1
        for column in sorted(columns):
            if self.facet_of[column] != facet:
                facet = self.facet_of[column]
                out += [self.facet_id, *self.facet_names[facet]]
            out += [self.tag_id, *self.tag_names[column]]
        return out

    def read(self, ids: Sequence[int], *, ended: bool = True) -> Parsed:
        """What the ids say. ``ended`` is False where they were cut off: then their last name is not counted."""
        found: dict[int, None] = {}
        unknown = 0
        facet: int | None = None
        pieces = list(self._pieces(ids))
        for mark, name in pieces if ended else pieces[:-1]:
            key = self._key(name)
            if mark == self.facet_id:
                facet = self._facets.get(key)
                unknown += facet is None
            elif mark == self.tag_id and facet is not None and (column := self._tags[facet].get(key)) is not None:
                found[column] = None
            else:
                unknown += 1
        return Parsed(tuple(found), unknown)

    def _pieces(self, ids: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """(mark, tokens of the name behind it); mark -1 for what stands before the first."""
        mark, name = -1, list[int]()
        for token in ids:
            if token in (self.facet_id, self.tag_id):
                if name or mark != -1:
                    yield mark, name
                mark, name = token, []
            else:
                name.append(token)
        if name or mark != -1:
            yield mark, name

    def _distinct(self, named: Iterable[tuple[str, str]]) -> tuple[list[tuple[int, ...]], dict[str, int]]:
        names: list[tuple[int, ...]] = []
        keys: dict[str, int] = {}
        for slug, label in named:
            for text in (label, f"{label} {slug}", f"{label} {slug} {len(names)}"):
                ids = tuple(self.tokenizer.encode(_clean(text), add_special_tokens=False).ids)
                if ids and self._key(ids) not in keys:
                    break
            keys[self._key(ids)] = len(names)
            names.append(ids)
        return names, keys

    def _key(self, ids: Sequence[int]) -> str:
        return "".join(fold(self.tokenizer.decode(list(ids), skip_special_tokens=False)).split())


@dataclass(slots=True)
class _Node:
    """A place in a prefix trie. ``columns``: all tags below or at it, rising; ``here``: the one that ends here."""

    next: dict[int, _Node] = field(default_factory=dict)
    columns: list[int] = field(default_factory=list)
    here: int = -1

    def add(self, name: Sequence[int], column: int) -> None:
        node = self
        node.columns.append(column)
        for token in name:
            node = node.next.setdefault(token, _Node())
            node.columns.append(column)
        node.here = column


@dataclass(frozen=True, slots=True)
class _State:
    """Inside the names of facets (``facet`` < 0) or of the tags of ``facet``; ``last`` column and how many so far."""

    node: _Node | None
    facet: int
    last: int
    count: int


class Held:
    """Which tokens may follow, so that only tags that may stand on this product are written, each once, in the schema's
    order, one of a single-choice facet, and exactly ``control.count`` where so many can be (De Cao et al. 2021,
    autoregressive entity retrieval, held beam search to names by a prefix trie in the same way).

    Facets are few and their names short, so they are a trie as the tags are. States are remembered by what was written.
    """

    def __init__(self, sequences: TagSequences, example: Example, control: Control, end: int) -> None:
        self.sequences, self.end = sequences, end
        schema = sequences.schema
        self.columns = [c for c, (f, t) in enumerate(_pairs(schema)) if _may(f, t, example.category, control.facets)]
        self.facets = _Node()
        self.tags: dict[int, _Node] = {}
        for column in self.columns:
            facet = sequences.facet_of[column]
            if facet not in self.tags:
                self.facets.add(sequences.facet_names[facet], facet)
            self.tags.setdefault(facet, _Node()).add(sequences.tag_names[column], column)
        self.after = self._possible_after()
        self.first = {facet: node.columns[0] for facet, node in self.tags.items()}
        self.count = min(control.count, self.after.get(-1, 0))
        self._states: dict[tuple[int, ...], _State] = {(): _State(None, -1, -1, 0)}

    def allowed(self, ids: Sequence[int]) -> list[int]:
        """Tokens that may follow ``ids`` (what was written after the start token). Never empty."""
        if self.end in ids:
            return [self.end]
        state = self._state(tuple(ids))
        if state.node is None:
            return self._between(state)
        if state.facet < 0:
            follow = [t for t, n in state.node.next.items() if self._opens(n, state)]
            return follow + ([self.sequences.tag_id] if self._opens_here(state) else [])
        follow = [t for t, n in state.node.next.items() if self._fits(n.columns, state)]
        if self._takes(state.node.here, state):
            follow += self._between(self._taken(state))
        return follow

    def _possible_after(self) -> dict[int, int]:
        """Column to how many tags can still follow it; -1 stands for the beginning."""
        after: dict[int, int] = {}
        total = inside = 0
        facet = -1
        for column in reversed(self.columns):
            mine = self.sequences.facet_of[column]
            single = self.sequences.schema.facets[mine].single
            if mine != facet:
                total, inside, facet = total + inside, 0, mine
            after[column] = total if single else total + inside
            inside = 1 if single else inside + 1
        after[-1] = total + inside
        return after

    def _between(self, state: _State) -> list[int]:
        """What may follow a whole name: a further tag of the facet, a further facet, the end."""
        found = []
        if state.facet >= 0 and not self.sequences.schema.facets[state.facet].single:
            found += [self.sequences.tag_id] * self._fits(self.tags[state.facet].columns, state)
        found += [self.sequences.facet_id] * self._opens(self.facets, state)
        if state.count >= self.count or not found:
            found.append(self.end)
        return found

    def _wanting(self, state: _State) -> bool:
        return not self.count or state.count < self.count

    def _takes(self, column: int, state: _State) -> bool:
        """Whether this tag may come next, and leaves room for as many as are still wanted."""
        return column > state.last and self._wanting(state) and self.after[column] >= self.count - state.count - 1

    def _fits(self, columns: Sequence[int], state: _State) -> bool:
        place = bisect_right(columns, state.last)  # the first leaves most room, so it speaks for all
        return place < len(columns) and self._takes(columns[place], state)

    def _opens(self, node: _Node, state: _State) -> bool:
        """Whether a facet below ``node`` comes after what is written and has a tag that may come."""
        written = self.sequences.facet_of[state.last] if state.last >= 0 else -1
        place = bisect_right(node.columns, written)
        return place < len(node.columns) and self._takes(self.first[node.columns[place]], state)

    def _opens_here(self, state: _State) -> bool:
        assert state.node is not None
        here = state.node.here
        written = self.sequences.facet_of[state.last] if state.last >= 0 else -1
        return here > written and self._takes(self.first[here], state)

    def _taken(self, state: _State) -> _State:
        assert state.node is not None
        return _State(None, state.facet, state.node.here, state.count + 1)

    def _state(self, ids: tuple[int, ...]) -> _State:
        if ids not in self._states:
            self._states[ids] = self._step(self._state(ids[:-1]), ids[-1])
        return self._states[ids]

    def _step(self, state: _State, token: int) -> _State:
        marks = (self.sequences.facet_id, self.sequences.tag_id)
        if token not in marks:
            assert state.node is not None
            return _State(state.node.next[token], state.facet, state.last, state.count)
        if state.node is not None and state.facet < 0:  # a facet's name is whole, its tags begin
            return _State(self.tags[state.node.here], state.node.here, state.last, state.count)
        if state.node is not None:
            state = self._taken(state)
        if token == self.sequences.facet_id:
            return _State(self.facets, -1, state.last, state.count)
        return _State(self.tags[state.facet], state.facet, state.last, state.count)


def _pairs(schema: Schema) -> Iterator[tuple[FacetSpec, TagSpec]]:
    return ((facet, tag) for facet in schema.facets for tag in facet.tags)


def _may(facet: FacetSpec, tag: TagSpec, category: str, wanted: Sequence[str]) -> bool:
    return (
        facet.applies(category) and (not tag.categories or below(category, tag.categories))
    ) and (not wanted or facet.slug in wanted)  # fmt: skip


def _facet_label(facet: FacetSpec, language: str) -> str:
    return facet.labels.get(language) or next(iter(facet.labels.values()), facet.slug) or facet.slug


def _clean(text: str) -> str:
    for word in CONTROL_WORDS:
        if word in text:
            text = text.replace(word, " ")
    return text


def _id(tokenizer: Tokenizer, word: str) -> int:
    found = tokenizer.token_to_id(word)
    if found is None:
        raise ValueError(f"tokenizer: does not know the control word {word}; see add_control_words")
    return int(found)
