"""promote CATALOGUE MODEL: make a full model the encoder under the instant head."""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions import training
from annotations.actions.errors import NotFound
from annotations.management.base import JsonCommand
from annotations.models import Catalogue, ModelVersion


class Command(JsonCommand):
    help = "Make MODEL (its name, full-3, or its number) the one that suggests, from the next moment on."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("model")
        parser.add_argument("--override", default="", metavar="REASON", help="though the gate objects, because ...")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        wanted = model_named(catalogue, options["model"])
        model = training.promote(catalogue=catalogue, model=wanted, user=None, override=options["override"])
        return {"model": model.name, "state": model.state}


def model_named(catalogue: Catalogue, name: str) -> ModelVersion:
    number = name.rsplit("-", 1)[-1]
    found = ModelVersion.objects.filter(catalogue=catalogue, number=int(number) if number.isdecimal() else 0).first()
    if found is None or name not in (found.name, number):
        raise NotFound(f"“{catalogue.slug}” has no model “{name}”", "no_model", model=name)
    return found
