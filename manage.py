#!/usr/bin/env python
"""TagStudio's commands: ``python manage.py help``."""

import os
import sys


def main() -> None:
    environment = os.environ.get("TAGSTUDIO_ENV", "dev")
    if environment not in ("dev", "prod"):
        sys.exit(f"TAGSTUDIO_ENV={environment!r}: use dev or prod")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"tagstudio.settings.{environment}")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here: run `make setup`, then use .venv/bin/python")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
