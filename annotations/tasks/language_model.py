"""The job that asks the language model about the products at the head of the queue, several at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from django.utils.translation import gettext as _

from annotations import bridge
from annotations.actions import language_model as verbs
from annotations.actions.claims import Claim
from annotations.actions.errors import Refused
from annotations.actions.language_model import Answered
from annotations.actions.suggestions import tag_ids
from annotations.models import Catalogue, LanguageModel, LanguageModelAnswer, Product
from annotations.queries import language_model as questions
from annotations.tasks.registry import handles

FAILURES_IN_A_ROW = 5  # then nobody is there to ask
AT_ONCE_READ = 200
LOOK = 0.2  # seconds between two looks at whether somebody wants it stopped


class _Stopped(Exception):
    """This run ends: exchanges under way are broken off."""


@handles(questions.KIND)
def ask_model(claim: Claim) -> dict[str, Any]:
    """Ask until the products or the budget are used up. A run that was killed goes on: what was answered is not asked
    again. ``result``: answered, tags, unknown, failed, tokens, cost, and why it ended early."""
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    model = questions.language_model_of(catalogue)
    if model is None:
        raise Refused(_("Say first where the language model is asked."), "no_language_model")
    claim.progress(step=str(_("Reading the taxonomy and the approved products")))
    asker = bridge.Asker(
        catalogue, endpoint=model.endpoint, model=model.name, key=verbs.key_of(model), shots=model.shots,
        seconds=model.seconds, answer_tokens=model.answer_tokens, ids=tag_ids(catalogue),
    )  # fmt: skip
    done = LanguageModelAnswer.objects.filter(job=claim.job).count()
    keys = questions.next_products(catalogue, model, max(0, int(claim.params["products"]) - done))
    return _Run(claim, catalogue, model, asker, len(keys)).through(keys)


class _Run:
    def __init__(
        self, claim: Claim, catalogue: Catalogue, model: LanguageModel, asker: bridge.Asker, total: int
    ) -> None:
        self.claim, self.catalogue, self.model, self.asker, self.total = claim, catalogue, model, asker, total
        self.cost = questions.spent(catalogue)
        self.counts = dict.fromkeys(("answered", "tags", "unknown", "failed", "skipped", "tokens_in", "tokens_out"), 0)
        self.in_a_row = 0
        self.ended = ""
        self._dearest = (0, 0)  # tokens of an answer so far: a server may count more than we do
        self._stop = threading.Event()
        self._under_way: dict[Future[Any], Any] = {}

    def through(self, keys: list[int]) -> dict[str, Any]:
        questions_left = self._questions(keys)
        with ThreadPoolExecutor(self.model.at_once, thread_name_prefix="llm") as pool:
            try:
                self._fill(pool, questions_left)
                while self._under_way:
                    ready, _rest = wait(self._under_way, timeout=LOOK, return_when=FIRST_COMPLETED)
                    self.claim.check()
                    for future in ready:
                        self._take(self._under_way.pop(future), future)
                    self._fill(pool, questions_left)
            finally:
                self._stop.set()
        if self.ended:
            self.claim.log(self.ended)
        return {**self.counts, "cost": round(self.cost, 6), "currency": self.model.currency, "ended": self.ended}

    def _questions(self, keys: list[int]) -> Iterator[Any]:
        for begin in range(0, len(keys), AT_ONCE_READ):
            chunk = keys[begin : begin + AT_ONCE_READ]
            products = questions.products_of(self.catalogue, chunk)
            for key in chunk:
                asking = self.asker.prepare(products[key]) if key in products else None
                if asking is None:
                    self.counts["skipped"] += 1
                else:
                    yield asking

    def _fill(self, pool: ThreadPoolExecutor, left: Iterator[Any]) -> None:
        """As many under way as may be, as far as the budget goes even if each costs the most it may."""
        while not self.ended and len(self._under_way) < self.model.at_once:
            asking = next(left, None)
            if asking is None:
                return
            reserved = sum(self._most(a) for a in (*self._under_way.values(), asking))
            if self.model.budget is not None and self.cost + reserved > self.model.budget:
                used_up = verbs.over_budget(self.model, self.cost)
                self.ended = (
                    verbs.over_budget_words(self.model)
                    if used_up
                    else _("The next question might cost more than is left of this month's budget.")
                )
                return
            self._under_way[pool.submit(self.asker.ask, asking, self._check)] = asking

    def _most(self, asking: Any) -> float:
        tokens = (max(pair) for pair in zip(asking.tokens, self._dearest, strict=True))
        return self.model.cost(*tokens)

    def _check(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _take(self, asking: Any, future: Future[Any]) -> None:
        try:
            said = future.result()
        except bridge.EndpointRefused as refusal:
            raise Refused(str(refusal), "endpoint") from None
        product: Product = asking.product
        answered = Answered(
            product, said.tags, said.read.unknown, asking.masked, said.problem, said.tries, said.tokens_in,
            said.tokens_out, said.estimated, said.seconds,
        )  # fmt: skip
        row = verbs.take_answer(
            claim=self.claim, model=self.model, taxonomy_revision=self.catalogue.taxonomy_revision, answered=answered
        )
        self.cost += row.cost
        self._dearest = (max(self._dearest[0], said.tokens_in), max(self._dearest[1], said.tokens_out))
        for name, n in {"answered": not said.problem, "tags": len(said.tags), "unknown": said.read.unknown,
                        "failed": bool(said.problem), "tokens_in": said.tokens_in, "tokens_out": said.tokens_out}.items():  # fmt: skip
            self.counts[name] += int(n)
        self.in_a_row = self.in_a_row + 1 if said.problem == "failed" else 0
        if said.problem:
            self.claim.log(f"{product.external_id}: {said.words or _('The answer holds no tags that can be read.')}")
        if self.in_a_row >= FAILURES_IN_A_ROW:
            raise Refused(_("%(n)d questions in a row were not answered: %(words)s") % {"n": self.in_a_row, "words": said.words}, "endpoint")  # fmt: skip
        done = self.counts["answered"] + self.counts["failed"]
        self.claim.progress(done, self.total, step=str(_("Asking about %(count)d products")) % {"count": self.total})
