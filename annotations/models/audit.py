"""Who did what, other than deciding on tags (decisions are their own log). Append-only."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Event(models.TextChoices):
    """The page of event words. Add here; never reuse a word for something else."""

    CATALOGUE_CREATED = "catalogue_created", _("catalogue created")
    CATALOGUE_CHANGED = "catalogue_changed", _("catalogue settings changed")
    MEMBER_ADDED = "member_added", _("member added")
    MEMBER_CHANGED = "member_changed", _("member's role changed")
    MEMBER_REMOVED = "member_removed", _("member removed")
    USER_CREATED = "user_created", _("user created")
    USER_DISABLED = "user_disabled", _("user disabled")
    USER_ENABLED = "user_enabled", _("user enabled")
    PASSWORD_CHANGED = "password_changed", _("password changed")
    TOKEN_CREATED = "token_created", _("API token made")
    TOKEN_REVOKED = "token_revoked", _("API token revoked")
    SIGNED_IN = "signed_in", _("signed in")
    SIGN_IN_FAILED = "sign_in_failed", _("sign-in failed")
    SECOND_STEP_ON = "second_step_on", _("one-time codes switched on")
    SECOND_STEP_OFF = "second_step_off", _("one-time codes switched off")
    SECOND_STEP_RESET = "second_step_reset", _("one-time codes reset for somebody")
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed", _("recovery codes renewed")
    RECOVERY_CODE_USED = "recovery_code_used", _("recovery code used")
    IDENTITY_LINKED = "identity_linked", _("identity of a provider linked")
    IDENTITY_UNLINKED = "identity_unlinked", _("identity of a provider taken away")
    SIGN_IN_LINK_MADE = "sign_in_link_made", _("one-time sign-in link made")
    BULK_ACTION = "bulk_action", _("bulk action")
    BULK_UNDONE = "bulk_undone", _("bulk action taken back")
    FAMILY_DECIDED = "family_decided", _("proposed family decided")
    BOILERPLATE_DECIDED = "boilerplate_decided", _("shared text decided")
    PRODUCTS_IMPORTED = "products_imported", _("products imported")
    SOURCE_SAVED = "source_saved", _("source of files saved")
    SOURCE_DELETED = "source_deleted", _("source of files deleted")
    TAXONOMY_CHANGED = "taxonomy_changed", _("taxonomy changed")
    EXPORTED = "exported", _("tags exported")
    TRAINING_STARTED = "training_started", _("training started")
    TRAINING_CANCELLED = "training_cancelled", _("training cancelled")
    TRAINING_PAUSED = "training_paused", _("training paused")
    TRAINING_RESUMED = "training_resumed", _("training resumed")
    TRAINING_ENDED = "training_ended", _("training ended")
    SEARCH_STARTED = "search_started", _("search over plans started")
    SEARCH_STOPPED = "search_stopped", _("search over plans stopped")
    PRESET_KEPT = "preset_kept", _("plan kept under a name")
    MODEL_PROMOTED = "model_promoted", _("model promoted")
    MODEL_ROLLED_BACK = "model_rolled_back", _("model rolled back")
    MODEL_NOTED = "model_noted", _("note on a model")
    LANGUAGE_MODEL_SET = "language_model_set", _("language model set")
    LANGUAGE_MODEL_ASKED = "language_model_asked", _("language model asked")
    WORD_RULES_CHANGED = "word_rules_changed", _("word lists changed")
    MODEL_DISCARDED = "model_discarded", _("model discarded")
    PRODUCT_FLAGGED = "product_flagged", _("product flagged")
    GOLD_CHANGED = "gold_changed", _("product with a known answer set or unset")
    ASSIGNED = "assigned", _("products assigned")
    PRODUCT_UNFLAGGED = "product_unflagged", _("flag taken down")
    COMMENTED = "commented", _("commented on a product")
    DRIFT_SEEN = "drift_seen", _("drift alert closed")
    DRAFTS = "drafts", _("drafts of texts")
    TAG_REQUESTED = "tag_requested", _("tag requested")


def event_words() -> Any:
    """A function, so that a new word needs no migration."""
    return Event.choices


class AuditEvent(models.Model):
    catalogue = models.ForeignKey(
        "annotations.Catalogue", models.PROTECT, null=True, blank=True, related_name="audit_events"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    word = models.CharField(max_length=40, choices=event_words)
    target = models.CharField(max_length=200, blank=True, help_text="what it happened to, by id or name")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["catalogue", "-id"])]

    def __str__(self) -> str:
        return self.word
