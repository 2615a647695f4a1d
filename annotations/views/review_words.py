"""What the scripts of the review screen say, in the reader's language. ``{name}`` is filled in by the script."""

from __future__ import annotations

from django.utils.translation import gettext as _

from annotations.actions.together import Held
from annotations.models import Reason


def words() -> dict[str, str]:
    return {
        "saved": _("All saved"),
        "sending": _("Saving {n}"),
        "unsaved": _("{n} unsaved"),
        "offline": _("{n} unsaved: no connection, trying again"),
        "signedOut": _("{n} unsaved: you are signed out"),
        "signIn": _("Sign in"),
        "refused": _("“{title}” was not saved: {message}"),
        "leave": _("Some decisions are not saved yet."),
        "accepted": _("{facet}: {tag} accepted, {n} left"),
        "rejected": _("{facet}: {tag} rejected, {n} left"),
        "added": _("{facet}: {tag} added"),
        "nothingChosen": _("No tag is chosen. Save once more if none fits, or skip the product."),
        "next": _("Saved. Next: {title}"),
        "shown": _("Now: {title}"),
        "skipped": _("Skipped. Next: {title}"),
        "flagged": _("Flagged. Next: {title}"),
        "loading": _("Fetching the next product"),
        "first": _("This is the first product of this session."),
        "undoWaits": _("Undo waits until everything before it is saved."),
        "failed": _("That did not work. Try again in a moment."),
        "otherTab": _("What this tab would have shown is open in another tab of yours: here is the next product."),
        "alsoInTab": _("This product is open in another tab of yours, too."),
        "restInTab": _("What is left is open in another tab of yours."),
        "leaseLost": _("Somebody else may have taken this product; saving will tell."),
        "theirs": _("{name} decided"),
        "mine": _("You decided"),
        "keepMine": _("Keep mine"),
        "takeTheirs": _("Take theirs"),
        "conflict": _("Somebody else saved “{title}” in the meantime"),
        "accept": _("accepted"),
        "reject": _("rejected"),
        "add": _("added"),
        "remove": _("removed"),
        "complete": _("looked at as a whole"),
        "undo": _("undone"),
        "nothing": _("nothing"),
        "ask": _("Ask for “{text}” as a new value of {facet}"),
        "take": _("“{text}” as a value of {facet}"),
        "noHit": _("No tag by this name."),
        "addTo": _("Add to {facet}"),
        "correct": _("Instead of “{tag}”"),
        "evidence": _("Evidence {n} of {all}: {words}"),
        "noEvidence": _("no evidence in the text"),
        "retry": _("Try again"),
        "drop": _("Drop it"),
        "dropSure": _("Drop what you decided on “{title}”? It was never saved."),
        "show": _("Show"),
        "why": _("Why not {tag}?"),
        "because": _("{tag}: {reason}"),
        "missing": _("Which value of {facet} is missing?"),
        "commented": _("Comment saved."),
        "chosen": _("“{words}” is the evidence of {tag}."),
        "chooseFirst": _(
            "Select words of the title or the description first; they become the evidence of the focused tag."
        ),
        "chosenWhy": _("{tag} · your evidence “{words}”"),
        "applied": _("Applied. Next: {title}"),
        "heldBack": _("Held back"),
        "noFamily": _("This product has no other variants."),
        "unflagged": _("The flag is taken down."),
        **{f"reason_{value}": str(label) for value, label in Reason.choices},
    }


def grid_words() -> dict[str, str]:
    """What the grid says besides."""
    return {
        "gridSave": _("Accept {n}, reject {m}"),
        "gridSeen": _("{n} of {all} seen"),
        "gridKeys": _("{n} keys a decision"),
        "gridTile": _("{title}: {state}"),
        "gridOut": _("left out"),
        "gridSaved": _("{message}. Undo ({key})"),
        "gridHeld": _("Held back"),
        "gridNothingSeen": _("Nothing has been on screen yet."),
        "gridEmpty": _("Nothing more is suggested here."),
        "gridElsewhere": _("{message} It is not in this grid."),
        "instead": _("instead: {tag}"),
    }


def held_word(held: Held) -> str:
    """Why a product stayed out of a gesture."""
    words = {
        "changed": _("somebody decided on it in the meantime"),
        "taken": _("somebody else is looking at it"),
        "gone": _("it is no longer in the catalogue"),
    }
    return held.message or words.get(held.why, held.why)
