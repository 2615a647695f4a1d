"""WSGI entry point: ``tagstudio.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

from tagstudio import doorbell

os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"tagstudio.settings.{os.environ.get('TAGSTUDIO_ENV', 'dev')}")
application = get_wsgi_application()
doorbell.warm()
