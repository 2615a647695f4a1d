"""ASGI entry point: ``tagstudio.asgi``."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"tagstudio.settings.{os.environ.get('TAGSTUDIO_ENV', 'dev')}")
application = get_asgi_application()
