"""For pytest: a home of its own per run; PostgreSQL and a real broker where TEST_DATABASE_URL, TEST_BROKER_URL say so."""

import hashlib
import os
import tempfile

# other tests are no pages to step back behind: beside them, what waits for a worker would wait for ever
os.environ.setdefault("WORKER_NICE", "0")
os.environ.setdefault("TRAINING_NICE", "0")
os.environ["TAGSTUDIO_HOME"] = os.environ.get("TAGSTUDIO_TEST_HOME") or tempfile.mkdtemp(prefix="tagstudio-test-")

from tagstudio.settings import env
from tagstudio.settings.base import *  # noqa: F403
from tagstudio.settings.base import BASE_DIR, EMBEDDED_BROKER, TAGSTUDIO_HOME

SECRET_KEY = "only-for-tests-" + "x" * 40
DATABASES = {"default": env.database("TEST_DATABASE_URL", TAGSTUDIO_HOME / "tagstudio.sqlite3")}
CELERY_BROKER_URL = env.text("TEST_BROKER_URL", EMBEDDED_BROKER)
if env.is_sqlite(DATABASES["default"]):
    # a file, so that several threads and processes see one database
    DATABASES["default"]["TEST"] = {"NAME": str(TAGSTUDIO_HOME / "test.sqlite3")}
else:
    # checkouts side by side on one server don't meet
    checkout = hashlib.sha256(str(BASE_DIR).encode()).hexdigest()[:8]
    DATABASES["default"]["TEST"] = {"NAME": f"test_tagstudio_{checkout}"}
    # no test pulls the plug of the server, so none has to wait for its disk
    said = DATABASES["default"].get("OPTIONS")
    DATABASES["default"]["OPTIONS"] = {
        **(said if isinstance(said, dict) else {}),
        "options": "-c synchronous_commit=off",
    }
PACKAGED_ENCODER = env.flag("PACKAGED_ENCODER", False)  # its export takes longer than most tests
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    # no "models": their folder is another one in each test, and shared with nobody
}
ALLOWED_HOSTS = ["*"]
