"""Word lists: add and take away, take a starter list, and what follows for suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs, learning
from annotations.actions.errors import Refused
from annotations.bridge.safety import ALLOWED, STARTER, name_of
from annotations.models import Catalogue, Event, Job, Suggestion, User, WordRule
from annotations.queries import safety as questions

LONGEST = 100
MOST = 10_000  # words of a catalogue
AT_ONCE = 2000


def add_words(*, catalogue: Catalogue, user: User, kind: str, words: Iterable[str], group: str = "") -> int:
    """Returns how many are new. What the lists now block is no longer suggested from the moment this is saved."""
    if kind not in WordRule.Kind.values or group not in WordRule.Group.values:
        raise Refused(_("Block words or allow them."), "kind")
    wanted = {name_of(word): " ".join(word.split()) for word in words if name_of(word)}
    if not wanted:
        raise Refused(_("Write at least one word."), "words")
    long = next((word for word in wanted.values() if len(word) > LONGEST), None)
    if long is not None:
        raise Refused(
            _("“%(word)s…” has more than %(most)d characters.") % {"word": long[:30], "most": LONGEST}, "words"
        )
    with transaction.atomic():
        Catalogue.objects.select_for_update().get(pk=catalogue.pk)
        there = set(WordRule.objects.filter(catalogue=catalogue, kind=kind).values_list("key", flat=True))
        fresh = [
            WordRule(catalogue=catalogue, kind=kind, text=text, key=key, group=group, user=user)
            for key, text in wanted.items() if key not in there
        ]  # fmt: skip
        if len(there) + len(fresh) > MOST:
            raise Refused(_("A list holds at most %(most)d words.") % {"most": MOST}, "words")
        WordRule.objects.bulk_create(fresh)
        if fresh:
            _changed(catalogue, user, {"added": [rule.text for rule in fresh][:200], "kind": kind, "group": group})
    return len(fresh)


def take_starter(*, catalogue: Catalogue, user: User, group: str) -> int:
    """A starter list with its allowed phrases; words that were there already stay as they are."""
    if group not in STARTER:
        raise Refused(_("There is no such list."), "group")
    with transaction.atomic():
        allowed = add_words(catalogue=catalogue, user=user, kind=WordRule.Kind.ALLOW, words=ALLOWED[group], group=group)
        return allowed + add_words(
            catalogue=catalogue, user=user, kind=WordRule.Kind.BLOCK, words=STARTER[group], group=group
        )


def remove_words(*, catalogue: Catalogue, user: User, pks: Iterable[int] = (), group: str = "") -> int:
    """Some words, or a whole starter list. What is no longer blocked comes back with the next suggestions."""
    gone = WordRule.objects.filter(catalogue=catalogue)
    gone = gone.filter(group=group) if group else gone.filter(pk__in=list(pks))
    with transaction.atomic():
        texts = list(gone.values_list("text", flat=True))
        gone.delete()
        if texts:
            _changed(catalogue, user, {"removed": texts[:200]})
            if learning.anything_to_learn(catalogue=catalogue):
                learning.request_score(catalogue=catalogue, everything=True)
    return len(texts)


def _changed(catalogue: Catalogue, user: User, data: dict[str, object]) -> None:
    """Suggestions of tags that are blocked now go at once, whoever made them."""
    audit.record(word=Event.WORD_RULES_CHANGED, catalogue=catalogue, user=user, data=data)
    blocked = list(questions.blocked_tags(catalogue))
    for begin in range(0, len(blocked), AT_ONCE):
        Suggestion.objects.filter(tag__in=blocked[begin : begin + AT_ONCE]).delete()


def request_scan(*, catalogue: Catalogue, user: User) -> Job:
    """Have every product looked through for blocked words and personal data."""
    return jobs.enqueue(
        kind=questions.KIND, queue="io", catalogue=catalogue, user=user, coalesce_key=f"{questions.KIND}:{catalogue.pk}"
    )
