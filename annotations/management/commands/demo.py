"""``manage.py demo``: from nothing to a working house, with the project's own sample catalogue and a first admin."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from annotations.actions import learning, people
from annotations.management.commands.run import PARTS, prepare, supervise
from annotations.models import Catalogue, Role, User

ADMIN = "admin"


class Command(BaseCommand):
    help = "Prepare a database, load the sample catalogue, make a first admin, then run everything."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-run", action="store_true", help="only prepare; start nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare(self)
        if not Catalogue.objects.exists():
            self.stdout.write("loading the sample catalogue")
            call_command("load_sample")
        for catalogue in Catalogue.objects.filter(serving=None):
            learning.request_refit(catalogue=catalogue)
        welcome = first_admin()
        if options["no_run"]:
            self.stdout.write(welcome)
            return
        sys.exit(supervise(list(PARTS), self.stderr.write, welcome))


def first_admin() -> str:
    """An admin with a password that is shown this once; where somebody can sign in already, nobody is made."""
    if any(user.has_usable_password() for user in User.objects.filter(is_active=True)):
        return "Sign in as before. (A forgotten password: manage.py changepassword NAME)"
    password = people.random_password()
    user = people.create_user(username=ADMIN, password=password)
    for catalogue in Catalogue.objects.all():
        people.set_role(user=user, catalogue=catalogue, role=Role.ADMIN)
    return f"Sign in as {ADMIN} with the password {password} (shown only now)"
