"""Asking a catalogue's language model: questions from rows and approved products, and the exchange with its endpoint.

:class:`Asker` reads the database and belongs to one thread; :meth:`Asker.ask` does not, so that several questions may
be under way at once. What is sent is what :class:`~annotations.bridge.rows.Examples` made, so personal data is masked.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from annotations.bridge.rows import Examples, embedding_cache, schema_of
from annotations.bridge.suggesting import serving
from annotations.models import Catalogue, Product
from annotations.queries import examples as questions
from ml.examples import Example
from ml.instant.cache import EmbeddingCache
from ml.llm import Dialect, Question, Read, Reply, estimate_tokens, nearest, read_answer
from ml.safety.personal import MASK
from ml.schema import TagSpec
from ml.serving.predictor import Predictor
from tagstudio.fetch import Fetched, FetchFailed, FetchRefused, fetch

TRIES = 4
PAUSES = (1.0, 3.0, 9.0)  # seconds before the second try and so on, and up to as much again by chance
LONGEST_PAUSE = 60.0  # whatever Retry-After says
WORTH_ANOTHER_TRY = {408, 409, 425, 429, 500, 502, 503, 504, 529}
MOST_BYTES = 2 * 2**20
APPROVED_READ = 2000  # approved products that examples are chosen from, the latest
CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")


class EndpointRefused(Exception):
    """The endpoint will not answer any question as things are: the run ends. The message is for people."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A question on its way. ``masked``: characters of personal data that stay here; ``tokens``: the most it may cost,
    (in, out)."""

    product: Product
    question: Question
    messages: list[dict[str, str]]
    masked: int
    tokens: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Said:
    """What came of it. ``problem``: "", "unreadable" or "failed"; ``tags``: primary keys."""

    tags: tuple[int, ...]
    read: Read
    problem: str
    tries: int
    tokens_in: int
    tokens_out: int
    estimated: bool
    seconds: float
    words: str = ""


class Asker:
    """Holds the taxonomy, the approved products that examples are chosen from, and how the endpoint wants to be spoken
    to. ``ids``: (facet slug, tag slug) to primary key of the tags that may be suggested."""

    def __init__(
        self, catalogue: Catalogue, *, endpoint: str, model: str, key: str, shots: int, seconds: float, answer_tokens: int,
        ids: dict[tuple[str, str], int],
    ) -> None:  # fmt: skip
        self.catalogue, self.ids = catalogue, ids
        self.endpoint, self.model, self.seconds, self.answer_tokens = endpoint, model, seconds, answer_tokens
        self.dialect = Dialect()
        self._key, self._shots = key, shots
        self._dialect_lock = threading.Lock()
        self.schema = schema_of(catalogue)
        self._examples = Examples(self.schema)
        self._served: Predictor | None = serving(catalogue)
        self._approved = self._read_approved() if shots else []
        self._vectors = self._embed(self._approved) if self._approved else None

    def _read_approved(self) -> list[Example]:
        rows = questions.decided_facts(self.catalogue, newest=APPROVED_READ)
        return [e for e in self._examples.all(rows) if e.labels]

    def _embed(self, examples: Sequence[Example]) -> np.ndarray | None:
        if self._served is None:
            return None
        cache: EmbeddingCache = embedding_cache()
        return np.concatenate([cache.embed(e, examples) for e in self._served.model.encoders], axis=1)

    def prepare(self, product: Product) -> Asking | None:
        """The question about one product; None where its category has no tags to choose from."""
        example = self._examples.of(questions.of_product(product))
        scores = None
        if self._served is not None and self._served.model.schema.columns == self.schema.columns:
            scores = self._served.scores([example])[0]
        question = Question.about(self.schema, example, scores, language=self.catalogue.language, only=self._may)
        if not question.facets:
            return None
        messages = question.messages(example, self._near(example))
        given = (product.title, product.description, *(str(v) for vs in product.attributes.values() for v in vs))
        hidden = sum(text.count(MASK) for text in _texts(example)) - sum(text.count(MASK) for text in given)
        return Asking(product, question, messages, max(0, hidden), (estimate_tokens(messages), self.answer_tokens))

    def _may(self, facet: str, tag: TagSpec) -> bool:
        return (facet, tag.slug) in self.ids

    def _near(self, example: Example) -> list[Example]:
        vectors = self._embed([example]) if self._vectors is not None else None
        if vectors is None or self._vectors is None:
            return self._approved[: self._shots]
        families = [e.family for e in self._approved]
        return [
            self._approved[row] for row in nearest(vectors[0], self._vectors, families, example.family, self._shots)
        ]

    def ask(self, asking: Asking, check: Callable[[], None]) -> Said:
        """Send it, again after a pause where that may help. ``check`` is called all the while and may raise.

        Raises EndpointRefused where no other question would be answered either. Touches no database.
        """
        began = time.monotonic()
        spent_in = spent_out = tries = 0
        estimated, words = False, ""
        while True:
            tries += 1
            pause = PAUSES[min(tries, len(PAUSES)) - 1] * (1 + random.random())
            request = self._request(asking)
            try:
                answer = self._send(request, check)
            except FetchRefused as refusal:
                raise EndpointRefused(str(refusal)) from None
            except FetchFailed as failure:
                words = str(failure)
            else:
                if answer.status == 200:
                    try:
                        reply = Reply.of(answer.body, request)
                    except ValueError:
                        words = _("What came back is no chat completion.")
                    else:
                        spent_in, spent_out = spent_in + reply.tokens_in, spent_out + reply.tokens_out
                        read = read_answer(reply.text, asking.question)
                        tags = tuple(self.ids[f, t] for f, ts in read.tags.items() for t in ts if (f, t) in self.ids)
                        problem = "" if read.usable else "unreadable"
                        return Said(
                            tags, read, problem, tries, spent_in, spent_out, reply.estimated, time.monotonic() - began
                        )
                elif answer.status in (400, 422) and self._learn(request, answer):
                    tries -= 1  # said in another way: not the same try
                    continue
                elif answer.status in WORTH_ANOTHER_TRY:
                    words = _status_words(answer)
                    pause = _retry_after(answer, pause)
                else:
                    raise EndpointRefused(_status_words(answer))
            if tries >= TRIES:
                return Said((), Read(usable=False), "failed", tries, spent_in, spent_out, estimated, time.monotonic() - began, words)  # fmt: skip
            _wait(pause, check)

    def _request(self, asking: Asking) -> dict[str, Any]:
        with self._dialect_lock:
            return self.dialect.request(self.model, asking.messages, asking.question, self.answer_tokens)

    def _learn(self, request: dict[str, Any], answer: Fetched) -> bool:
        """Whether to say it in another way, which a question beside this one may have learnt meanwhile."""
        with self._dialect_lock:
            now = self.dialect.request(self.model, [], Question(()), self.answer_tokens)
            if now.keys() != request.keys() or _form(now) != _form(request):
                return True
            return self.dialect.learn(answer.body[:20_000].decode("utf-8", "replace"))

    def _send(self, request: dict[str, Any], check: Callable[[], None]) -> Fetched:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return fetch(
            f"{self.endpoint}/chat/completions", method="POST", headers=headers, seconds=self.seconds,
            body=json.dumps(request, ensure_ascii=False).encode(), max_bytes=MOST_BYTES, check=check,
        )  # fmt: skip


def _texts(example: Example) -> list[str]:
    return [*example.texts.values(), *(v for values in example.source.values() for v in values)]


def _form(request: dict[str, Any]) -> str:
    return str((request.get("response_format") or {}).get("type", ""))


def _wait(seconds: float, check: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.1))


def _retry_after(answer: Fetched, pause: float) -> float:
    told = answer.headers.get("retry-after", "")
    return min(LONGEST_PAUSE, max(pause, float(told))) if re.fullmatch(r"\d{1,6}(\.\d+)?", told) else pause


def _status_words(answer: Fetched) -> str:
    """What the status means. Of the body only a code that looks like one: it may hold anything, our key too."""
    sentences = {
        401: _("The endpoint does not accept the key."),
        402: _("The endpoint wants to be paid first."),
        403: _("The endpoint does not allow this key to ask this model."),
        404: _("The endpoint knows no such address or model."),
        429: _("The endpoint is asked too often."),
    }
    said = sentences.get(answer.status, _("The endpoint answered with status %(status)d.") % {"status": answer.status})
    try:
        code = json.loads(answer.body[:20_000])["error"]["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return said
    return f"{said} ({code})" if isinstance(code, str) and CODE.fullmatch(code) else said
