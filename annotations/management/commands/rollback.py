"""rollback CATALOGUE: back to the model before."""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions import training
from annotations.management.base import JsonCommand


class Command(JsonCommand):
    help = "Make the model that was promoted before the present one suggest again."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")

    def answer(self, **options: Any) -> dict[str, Any]:
        model = training.rollback(catalogue=self.catalogue(options["catalogue"]), user=None)
        return {"model": model.name if model else None}
