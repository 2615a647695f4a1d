"""The language model of a catalogue: set it, ask it, and store what it claims as suggestions that never come checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs
from annotations.actions.claims import Claim
from annotations.actions.errors import Refused
from annotations.models import (
    Band,
    Catalogue,
    Event,
    Job,
    LanguageModel,
    LanguageModelAnswer,
    Product,
    Suggestion,
    Tag,
    User,
)
from annotations.queries import language_model as questions
from tagstudio.fetch import FetchRefused, checked
from tagstudio.sealed import seal, unseal

PURPOSE = "language model key"
MOST = 100_000  # products of one run
FIELDS = (
    "endpoint",
    "name",
    "price_in",
    "price_out",
    "currency",
    "budget",
    "shots",
    "at_once",
    "seconds",
    "answer_tokens",
)


def set_language_model(
    *, catalogue: Catalogue, user: User | None, key: str | None = None, **given: Any
) -> LanguageModel:
    """Change what is given of FIELDS. ``key`` None keeps the stored one, "" forgets it.

    A key belongs to its host: with an endpoint on another host it is forgotten unless it is given anew, so that it is
    never sent to somebody else. Raises Refused for an endpoint that this installation may not ask.
    """
    model = questions.language_model_of(catalogue) or LanguageModel(catalogue=catalogue)
    before = model.endpoint
    for name in FIELDS:
        if name in given:
            setattr(model, name, given[name])
    model.endpoint = model.endpoint.strip().rstrip("/")
    try:
        address = checked(model.endpoint)
    except FetchRefused as refusal:
        raise Refused(str(refusal), "endpoint") from None
    try:
        model.clean_fields()
    except ValidationError as error:
        name, sentences = next(iter(error.message_dict.items()))
        raise Refused(f"{name}: {sentences[0]}", "invalid", field=name) from None
    if key is not None:
        model.sealed_key = seal(key, PURPOSE) if key else ""
    elif model.sealed_key and not _same_host(before, address.origin):
        model.sealed_key = ""
    with transaction.atomic():
        model.save()
        said = {name: getattr(model, name) for name in FIELDS}
        said["key"] = "given" if key else "kept" if model.sealed_key else "none"
        audit.record(word=Event.LANGUAGE_MODEL_SET, catalogue=catalogue, user=user, target=model.endpoint, data=said)
    return model


def _same_host(endpoint: str, origin: str) -> bool:
    try:
        return checked(endpoint).origin == origin
    except FetchRefused:
        return False


def forget_language_model(*, catalogue: Catalogue, user: User | None) -> None:
    """Its address and key go; its answers and what they cost stay."""
    with transaction.atomic():
        gone, _rows = LanguageModel.objects.filter(catalogue=catalogue).delete()
        if gone:
            audit.record(word=Event.LANGUAGE_MODEL_SET, catalogue=catalogue, user=user, data={"forgotten": True})


def key_of(model: LanguageModel) -> str:
    """For whoever is about to ask. Raises Refused when it cannot be read any more."""
    if not model.sealed_key:
        return ""
    key = unseal(model.sealed_key, PURPOSE)
    if key is None:
        raise Refused(
            _("The stored key can no longer be read, since SECRET_KEY is another one: enter it again."), "key"
        )
    return key


def request_asking(*, catalogue: Catalogue, user: User | None, products: int) -> Job:
    """Ask about so many products, the head of the queue first. One run at a time."""
    model = questions.language_model_of(catalogue)
    if model is None:
        raise Refused(_("Say first where the language model is asked."), "no_language_model")
    if not 1 <= products <= MOST:
        raise Refused(_("Ask about 1 to %(most)d products.") % {"most": MOST}, "products")
    key_of(model)
    if over_budget(model, questions.spent(catalogue)):
        raise Refused(over_budget_words(model), "budget")
    with transaction.atomic():
        job = jobs.enqueue(
            kind=questions.KIND, queue="ml", catalogue=catalogue, user=user, params={"products": products},
            coalesce_key=f"{questions.KIND}:{catalogue.pk}",
        )  # fmt: skip
        audit.record(
            word=Event.LANGUAGE_MODEL_ASKED,
            catalogue=catalogue,
            user=user,
            target=model.name,
            data={"products": products},
        )
    return job


def over_budget(model: LanguageModel, cost: float) -> bool:
    return model.budget is not None and cost >= model.budget


def over_budget_words(model: LanguageModel) -> str:
    return _("The budget of %(budget).2f %(currency)s for this month is used up.") % {
        "budget": model.budget, "currency": model.currency,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of asking about one product. ``tags``: primary keys."""

    product: Product
    tags: Collection[int] = ()
    unknown: int = 0
    masked: int = 0
    problem: str = ""
    tries: int = 1
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False
    seconds: float = 0.0


def take_answer(
    *, claim: Claim, model: LanguageModel, taxonomy_revision: int, answered: Answered
) -> LanguageModelAnswer:
    """Store it with what it cost, and its tags as suggestions. Fenced: a run that was given away stores nothing."""
    catalogue = claim.catalogue
    with transaction.atomic():
        claim.fence()
        row = LanguageModelAnswer.objects.create(
            catalogue=catalogue, product=answered.product, job=claim.job, user=claim.user, model=model.name,
            product_revision=answered.product.revision, taxonomy_revision=taxonomy_revision,
            tags=sorted(answered.tags), unknown=answered.unknown, masked=answered.masked, problem=answered.problem,
            tries=answered.tries, tokens_in=answered.tokens_in, tokens_out=answered.tokens_out,
            estimated=answered.estimated, cost=model.cost(answered.tokens_in, answered.tokens_out),
            seconds=answered.seconds,
        )  # fmt: skip
        if not answered.problem:
            _suggest(answered, catalogue)
    return row


def _suggest(answered: Answered, catalogue: Catalogue) -> None:
    """Its claims, unchecked. What the model is sure of stays the model's; what it doubts is said by both."""
    llm = Suggestion.Source.LLM
    there = {row.tag_id: row for row in Suggestion.objects.filter(product=answered.product)}
    dropped = [row.pk for tag, row in there.items() if row.source == llm and tag not in answered.tags]
    Suggestion.objects.filter(pk__in=dropped).delete()
    trusted = questions.agreement(catalogue)
    facet_of = dict(Tag.objects.live().filter(pk__in=answered.tags).values_list("pk", "facet"))
    rows = []
    for tag, facet in facet_of.items():
        row = there.get(tag)
        if row is not None and (row.band != Band.UNSURE or row.source == Suggestion.Source.SOURCE):
            continue
        score = trusted[facet].score if facet in trusted else 0.5
        rows.append(
            Suggestion(
                product=answered.product, tag_id=tag, score=max(score, row.score if row else 0.0), band=Band.UNSURE,
                source=llm, spans=row.spans if row else [], model_version=None,
            )
        )  # fmt: skip
    Suggestion.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["product", "tag"],
        update_fields=["score", "band", "source", "spans", "model_version"],
    )  # fmt: skip
