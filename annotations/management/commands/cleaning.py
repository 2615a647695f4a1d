"""cleaning CATALOGUE [--on STEP ...] [--off STEP ...] [--try TEXT] [--find]"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.cleaning import find_shared, switch_steps
from annotations.actions.families import find_families
from annotations.formats.clean import STEPS
from annotations.formats.cleaning import NAMES
from annotations.management.base import JsonCommand
from annotations.queries.cleaning import aside_counts, steps_of


class Command(JsonCommand):
    help = "List a catalogue's cleaning steps, switch some, try them on a text, or look for families and shared texts."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--on", nargs="+", default=[], choices=NAMES, metavar="STEP")
        parser.add_argument("--off", nargs="+", default=[], choices=NAMES, metavar="STEP")
        parser.add_argument(
            "--try", dest="text", metavar="TEXT", help="show what each text step makes of it, by itself"
        )
        parser.add_argument("--find", action="store_true", help="look for families, duplicates and shared texts now")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        if options["on"] or options["off"]:
            off = {*catalogue.cleaning_off, *options["off"]} - set(options["on"])
            switch_steps(catalogue=catalogue, user=None, off=off)
        if options["text"] is not None:
            return {name: step(options["text"]) for name, step in STEPS.items()}
        answer: dict[str, Any] = {
            "on": [step.name for step in steps_of(catalogue) if step.on],
            "off": catalogue.cleaning_off,
            "set_aside": aside_counts(catalogue),
        }
        if options["find"]:
            answer |= find_families(catalogue=catalogue, fence=_nothing, progress=_nothing)
            answer["shared_texts"] = find_shared(catalogue=catalogue, fence=_nothing, progress=_nothing)
        return answer


def _nothing(*_said: object) -> None:
    """A command is not fenced, and says what it found at the end."""
