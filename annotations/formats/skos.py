"""Taxonomies as SKOS (W3C Recommendation 2009-08-18), in Turtle, RDF/XML and JSON-LD, through rdflib.

A facet is a ``skos:ConceptScheme``, a tag a ``skos:Concept`` in it: labels are ``prefLabel``, synonyms ``altLabel``, the
slug ``notation``, the tag above ``broader``. What SKOS has no word for (kind, unit, categories, what stands alone, what
is never together) is said in a vocabulary of ours below ``urn:tagstudio:ns#``, which other tools pass over. Reading
takes lists of others too: concepts without a scheme, ``narrower`` in place of ``broader``, ``hiddenLabel``.

Nothing here is fetched: JSON-LD that names its context by address is refused, since reading it would ask for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from annotations.formats.rows import FileRefused

FORMATS = {"turtle": "ttl", "xml": "rdf", "json-ld": "jsonld"}
"""rdflib's name of each format to the ending of its files."""
ENDINGS = {".ttl": "turtle", ".turtle": "turtle", ".rdf": "xml", ".owl": "xml", ".jsonld": "json-ld", ".nt": "nt"}
MEDIA_TYPES = {"turtle": "text/turtle", "xml": "application/rdf+xml", "json-ld": "application/ld+json"}
BYTES = 64 * 2**20
SECONDS, MEGABYTES = 120, 2048
OURS = "urn:tagstudio:ns#"
ALONE = "concepts"  # the facet of concepts that name no scheme


@dataclass(frozen=True, slots=True)
class SkosTag:
    """``parent`` and ``not_with`` name tags by the slugs of this list: of its facet, and (facet, tag)."""

    slug: str
    labels: Mapping[str, str] = field(default_factory=dict)
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""
    position: int = 0
    categories: Sequence[str] = ()
    exclusive: bool = False
    threshold: float | None = None
    not_with: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class SkosFacet:
    """``kind`` empty, flags None: the list does not say."""

    slug: str
    labels: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    unit: str = ""
    variant_axis: bool | None = None
    required: bool | None = None
    implied_parents: bool | None = None
    categories: Sequence[str] | None = None
    position: int = 0
    tags: Sequence[SkosTag] = ()


def is_skos(name: str) -> bool:
    return Path(name).suffix.lower() in ENDINGS


def _rdflib(file: str = "") -> Any:
    try:
        import rdflib
    except ImportError:
        raise FileRefused("needs-package", file, detail="SKOS (rdflib)") from None
    return rdflib


# -- out ---------------------------------------------------------------------------------------------------------
def write_skos(facets: Sequence[SkosFacet], *, base: str, form: str) -> bytes:
    """``base``: what the addresses of its facets begin with. Raises ValueError for a format that is not in FORMATS."""
    if form not in FORMATS:
        raise ValueError(form)
    rdflib = _rdflib()
    graph = rdflib.Graph()
    graph.bind("skos", rdflib.SKOS)
    graph.bind("ts", rdflib.Namespace(OURS))
    writing = _Writing(graph, rdflib, base, facets)
    for facet in facets:
        writing.facet(facet)
    more = {"context": {"skos": str(rdflib.SKOS), "ts": OURS}} if form == "json-ld" else {}
    out: bytes = graph.serialize(format=form, encoding="utf-8", **more)
    return out


class _Writing:
    def __init__(self, graph: Any, rdflib: Any, base: str, facets: Sequence[SkosFacet]) -> None:
        self.graph, self.rdflib, self.base = graph, rdflib, base
        self.skos, self.ours = rdflib.SKOS, rdflib.Namespace(OURS)
        self.address = {
            (f.slug, t.slug): rdflib.URIRef(f"{base}{_part(f.slug)}/{_part(t.slug)}") for f in facets for t in f.tags
        }

    def facet(self, facet: SkosFacet) -> None:
        scheme = self.rdflib.URIRef(f"{self.base}{_part(facet.slug)}")
        self.graph.add((scheme, self.rdflib.RDF.type, self.skos.ConceptScheme))
        self._words(scheme, facet.slug, facet.labels, facet.definitions)
        self._ours(
            scheme, kind=facet.kind, unit=facet.unit, position=facet.position, variantAxis=facet.variant_axis,
            required=facet.required, impliedParents=facet.implied_parents,
        )  # fmt: skip
        for category in facet.categories or ():
            self._ours(scheme, category=category)
        for tag in facet.tags:
            self._tag(scheme, facet.slug, tag)

    def _tag(self, scheme: Any, facet: str, tag: SkosTag) -> None:
        concept = self.address[facet, tag.slug]
        self.graph.add((concept, self.rdflib.RDF.type, self.skos.Concept))
        self.graph.add((concept, self.skos.inScheme, scheme))
        above = self.address.get((facet, tag.parent)) if tag.parent else None
        place = (self.skos.topConceptOf, scheme) if above is None else (self.skos.broader, above)
        self.graph.add((concept, *place))
        self._words(concept, tag.slug, tag.labels, tag.definitions)
        for language, words in tag.synonyms.items():
            for word in words:
                self.graph.add((concept, self.skos.altLabel, self.rdflib.Literal(word, lang=language)))
        self._ours(concept, position=tag.position, threshold=tag.threshold, exclusive=tag.exclusive or None)
        for category in tag.categories:
            self._ours(concept, category=category)
        for other in tag.not_with:
            if other in self.address:
                self.graph.add((concept, self.ours.notWith, self.address[other]))

    def _words(self, node: Any, slug: str, labels: Mapping[str, str], definitions: Mapping[str, str]) -> None:
        self.graph.add((node, self.skos.notation, self.rdflib.Literal(slug)))
        for predicate, texts in ((self.skos.prefLabel, labels), (self.skos.definition, definitions)):
            for language, text in texts.items():
                if text:
                    self.graph.add((node, predicate, self.rdflib.Literal(text, lang=language)))

    def _ours(self, node: Any, **said: Any) -> None:
        for name, value in said.items():
            if value not in ("", None):
                self.graph.add((node, self.ours[name], self.rdflib.Literal(value)))


def _part(slug: str) -> str:
    return quote(slug, safe="")


# -- in ----------------------------------------------------------------------------------------------------------
def read_skos(path: Path, *, name: str = "", language: str = "en") -> list[SkosFacet]:
    """``language``: what labels without one are in. Read in a child process with limits of time and memory. Raises
    FileRefused for what is no RDF, names a context by address, or holds no concept."""
    from annotations.formats.sandbox import run_limited

    name = name or path.name
    if path.stat().st_size > BYTES:
        raise FileRefused("too-large", name, limit=BYTES)
    _rdflib(name)
    found = run_limited(_read, str(path), name, language, seconds=SECONDS, megabytes=MEGABYTES)
    if "refused" in found:
        raise FileRefused.from_json(found["refused"])
    return [
        SkosFacet(**{**f, "tags": [SkosTag(**{**t, "not_with": [tuple(p) for p in t["not_with"]]}) for t in f["tags"]]})
        for f in found["facets"]
    ]


def _read(path: str, name: str, language: str) -> dict[str, Any]:
    """In the child."""
    try:
        return {
            "facets": [asdict(facet) for facet in parse_skos(Path(path).read_bytes(), name=name, language=language)]
        }
    except FileRefused as refusal:
        return {"refused": refusal.to_json()}


def parse_skos(data: bytes, *, name: str, language: str = "en") -> list[SkosFacet]:
    rdflib = _rdflib(name)
    form = ENDINGS.get(Path(name).suffix.lower(), "turtle")
    if form == "json-ld":
        _refuse_addresses(data, name)
    graph = rdflib.Graph()
    try:
        graph.parse(data=data, format=form, publicID="urn:tagstudio:file:")
    except Exception as error:  # its parsers raise whatever their libraries do
        raise FileRefused("unreadable", name, detail=f"{type(error).__name__}: {str(error)[:120]}") from None
    facets = _Reading(graph, rdflib, language).facets()
    if not any(facet.tags for facet in facets):
        raise FileRefused("no-tags", name, detail="skos:Concept")
    return facets


def _refuse_addresses(data: bytes, name: str) -> None:
    """A context by address would be fetched while reading."""
    try:
        waiting: list[Any] = [json.loads(data)]
    except (ValueError, RecursionError) as error:
        raise FileRefused("unreadable", name, detail=type(error).__name__) from None
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            contexts = one.get("@context", [])
            listed = contexts if isinstance(contexts, list) else [contexts]
            if any(isinstance(c, str) for c in listed) or "@import" in one:
                raise FileRefused("unreadable", name, detail="@context")
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


class _Reading:
    def __init__(self, graph: Any, rdflib: Any, language: str) -> None:
        self.graph, self.rdflib, self.language = graph, rdflib, language
        self.skos, self.ours = rdflib.SKOS, rdflib.Namespace(OURS)

    def facets(self) -> list[SkosFacet]:
        schemes = sorted(set(self.graph.subjects(self.rdflib.RDF.type, self.skos.ConceptScheme)), key=self._order)
        concepts = sorted(set(self.graph.subjects(self.rdflib.RDF.type, self.skos.Concept)), key=self._order)
        scheme_of = {c: self._scheme(c) for c in concepts}
        schemes += sorted({s for s in scheme_of.values() if s is not None} - set(schemes), key=str)
        slugs: dict[Any, str] = {}
        for scheme in schemes:
            slugs[scheme] = self._slug(scheme)
        tag_slug = {c: self._slug(c) for c in concepts}
        self.names = {c: (slugs[s] if (s := scheme_of[c]) is not None else ALONE, tag_slug[c]) for c in concepts}
        found = [
            self._facet(scheme, slugs[scheme], [c for c in concepts if scheme_of[c] == scheme]) for scheme in schemes
        ]
        if alone := [c for c in concepts if scheme_of[c] is None]:
            found.append(SkosFacet(ALONE, {self.language: ALONE.capitalize()}, tags=self._tags(alone)))
        return found

    def _order(self, node: Any) -> tuple[int, str]:
        place = self._one(node, self.ours.position)
        return (int(place) if isinstance(place, int) else 10**9, str(node))

    def _one(self, node: Any, predicate: Any) -> Any:
        """Its value in Python; None where there is none."""
        value = next(iter(sorted(self.graph.objects(node, predicate), key=str)), None)
        return value.toPython() if isinstance(value, self.rdflib.Literal) else value

    def _scheme(self, concept: Any) -> Any:
        for predicate in (self.skos.inScheme, self.skos.topConceptOf):
            if found := sorted(self.graph.objects(concept, predicate), key=str):
                return found[0]
        found = sorted(self.graph.subjects(self.skos.hasTopConcept, concept), key=str)
        return found[0] if found else None

    def _slug(self, node: Any) -> str:
        notation = self._one(node, self.skos.notation)
        if notation not in (None, ""):
            return str(notation)[:100]
        labels = self._texts(node, self.skos.prefLabel)
        return (next(iter(labels.values()), "") or str(node).rstrip("/#").rsplit("/", 1)[-1].rsplit("#", 1)[-1])[:100]

    def _literals(self, node: Any, predicate: Any) -> Iterator[tuple[str, str]]:
        for value in sorted(self.graph.objects(node, predicate), key=str):
            if isinstance(value, self.rdflib.Literal) and (text := str(value).strip()):
                yield (value.language or self.language).lower(), text

    def _texts(self, node: Any, predicate: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for language, text in self._literals(node, predicate):
            found.setdefault(language, text)
        return dict(sorted(found.items(), key=lambda pair: (pair[0] != self.language, pair[0])))

    def _flag(self, node: Any, name: str) -> bool | None:
        value = self._one(node, self.ours[name])
        return value if isinstance(value, bool) else None

    def _categories(self, node: Any) -> list[str]:
        return [text for _language, text in self._literals(node, self.ours.category)]

    def _facet(self, scheme: Any, slug: str, concepts: Sequence[Any]) -> SkosFacet:
        own = (scheme, self.ours.position, None) in self.graph  # a list of ours says everything
        return SkosFacet(
            slug, self._texts(scheme, self.skos.prefLabel) or {self.language: slug},
            self._texts(scheme, self.skos.definition), str(self._one(scheme, self.ours.kind) or ""),
            str(self._one(scheme, self.ours.unit) or ""), self._flag(scheme, "variantAxis"),
            self._flag(scheme, "required"), self._flag(scheme, "impliedParents"),
            self._categories(scheme) if own else None, tags=self._tags(concepts),
        )  # fmt: skip

    def _tags(self, concepts: Sequence[Any]) -> list[SkosTag]:
        return [self._tag(concept, place) for place, concept in enumerate(concepts)]

    def _tag(self, concept: Any, place: int) -> SkosTag:
        synonyms: dict[str, list[str]] = {}
        for predicate in (self.skos.altLabel, self.skos.hiddenLabel):
            for language, word in self._literals(concept, predicate):
                synonyms.setdefault(language, []).append(word)
        above = [*self.graph.objects(concept, self.skos.broader), *self.graph.subjects(self.skos.narrower, concept)]
        facet, slug = self.names[concept]
        parent = next((self.names[a][1] for a in sorted(above, key=str) if self.names.get(a, ("",))[0] == facet), "")
        threshold = self._one(concept, self.ours.threshold)
        others = sorted(self.names[o] for o in self.graph.objects(concept, self.ours.notWith) if o in self.names)
        return SkosTag(
            slug, self._texts(concept, self.skos.prefLabel) or {self.language: slug}, synonyms,
            self._texts(concept, self.skos.definition), "" if parent == slug else parent, place,
            self._categories(concept), bool(self._flag(concept, "exclusive")),
            float(threshold) if isinstance(threshold, int | float) and 0 <= threshold <= 1 else None, others,
        )  # fmt: skip
