"""What every environment shares. Values that a user may change come from the environment, read by env.py."""

from __future__ import annotations

import socket
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from tagstudio.devices import slots
from tagstudio.settings import env

BASE_DIR = Path(__file__).resolve().parents[2]
TAGSTUDIO_HOME = env.home(BASE_DIR / "var")

DEBUG = False
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "annotations",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "tagstudio.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "tagstudio.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tagstudio.presence.PresenceMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "annotations.views.gate.SecondStepMiddleware",
]

ROOT_URLCONF = "tagstudio.urls"
WSGI_APPLICATION = "tagstudio.wsgi.application"
ASGI_APPLICATION = "tagstudio.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "annotations.views.context.house",
            ]
        },
    }
]

# Data
DATABASES = {"default": env.database("DATABASE_URL", TAGSTUDIO_HOME / "tagstudio.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MEDIA_ROOT = TAGSTUDIO_HOME / "media"
MEDIA_URL = "/media/"
MODELS_ROOT = TAGSTUDIO_HOME / "models"
UPLOADS_ROOT = TAGSTUDIO_HOME / "uploads"
EXPORTS_ROOT = TAGSTUDIO_HOME / "exports"
JOBS_ROOT = TAGSTUDIO_HOME / "jobs"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# People
AUTH_USER_MODEL = "annotations.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_HTTPONLY = False  # htmx and the send queue read the token from the page, other scripts there are none
CSRF_COOKIE_SAMESITE = "Lax"
LOGIN_FAILURES_PER_NAME = env.integer("LOGIN_FAILURES_PER_NAME", 8, 1, 10**4)  # in a quarter of an hour
LOGIN_FAILURES_PER_ADDRESS = env.integer("LOGIN_FAILURES_PER_ADDRESS", 40, 1, 10**6)
BEHIND_PROXY = env.flag("BEHIND_PROXY", False)  # a proxy of ours sets X-Forwarded-For and X-Forwarded-Proto
# Who must give a code from their phone beside the password: the least role, or "everybody"; empty: who wants to
SECOND_STEP_REQUIRED = env.one_of("SECOND_STEP_REQUIRED", ("", "viewer", "reviewer", "lead", "admin", "everybody"))
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"

# Words
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "annotations" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")

# Files we ship
STATIC_URL = "/static/"
STATIC_ROOT = TAGSTUDIO_HOME / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True  # what is not collected yet is served from where it lies
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "tagstudio.staticfiles.Storage"},
    "models": env.models_storage("MODELS_STORAGE", MODELS_ROOT),  # where workers of other machines find models
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # the mapping of a wide table has four fields a column
UPLOAD_MAX_BYTES = env.integer("UPLOAD_MAX_BYTES", 2 * 2**30, 1024, 2**40)

# Work
EMBEDDED_BROKER = f"embedded+sqlite:///{TAGSTUDIO_HOME / 'broker.sqlite3'}"  # see tagstudio/broker.py
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", EMBEDDED_BROKER)
JOB_LEASE_SECONDS = env.integer("JOB_LEASE_SECONDS", 30, 2, 3600)
JOB_SWEEP_SECONDS = env.integer("JOB_SWEEP_SECONDS", 5, 1, 3600)
WORKER_THREADS = {"io": env.integer("WORKER_IO_THREADS", 2, 1, 64), "ml": env.integer("WORKER_ML_THREADS", 3, 1, 64)}
PACKAGED_ENCODER = env.flag("PACKAGED_ENCODER", True)  # take it where it is installed; off: lexical features alone
# What full runs are trained on here, and the machine's name: workers of one machine must agree on it (tagstudio/devices.py)
TRAINING_SLOTS = slots(env.text("TRAINING_SLOTS", "auto"), env.text("TRAINING_HOST", socket.gethostname()))
WORKER_NICE = env.integer("WORKER_NICE", 0, 0, 19)  # above 0, pages wait for a writer that is itself kept waiting
TRAINING_NICE = env.integer("TRAINING_NICE", 19, 0, 19)  # so that pages and suggestions come first
TRAINING_SILENCE_SECONDS = env.integer("TRAINING_SILENCE_SECONDS", 1800, 1, 86_400)  # then it is taken for hung
CELERY_WORKER_POOL = "solo"  # tasks are doorbells; the runner's threads do the work
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = CELERY_EVENT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_DEFAULT_QUEUE = "io"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # cancelling goes through the job's row, with every broker alike
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a broker may be away for as long as it likes
CELERY_BROKER_CONNECTION_TIMEOUT = 2.0
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # keeps nothing on disk
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "annotations.sweep",
        "schedule": float(JOB_SWEEP_SECONDS),
        "options": {"queue": "io", "expires": 2 * JOB_SWEEP_SECONDS},
    },
    "look-for-drift": {
        "task": "annotations.look_for_drift",
        "schedule": 600.0,
        "options": {"queue": "io", "expires": 600},
    },
    "tidy-models": {
        "task": "annotations.tidy_models",
        "schedule": 24 * 3600.0,
        "options": {"queue": "io", "expires": 3600},
    },
    "start-due-training": {
        "task": "annotations.start_due_training",
        "schedule": 60.0,
        "options": {"queue": "io", "expires": 120},
    },
}

# The network: hosts that may be asked (names, with a port where it is not 443), and hosts of our own network, each with
# its port, which may have private addresses and speak http
FETCH_HOSTS = [host.lower() for host in env.words("FETCH_HOSTS")]
FETCH_LOCAL_HOSTS = [host.lower() for host in env.words("FETCH_LOCAL_HOSTS")]

# Signing in through a company's identity provider (tagstudio/oidc.py); no issuer: there is none
OIDC_ISSUER = env.issuer("OIDC_ISSUER", FETCH_LOCAL_HOSTS)
OIDC_CLIENT_ID, OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_ID"), env.text("OIDC_CLIENT_SECRET")
OIDC_NAME = env.text("OIDC_NAME", "OpenID Connect")  # on the button
OIDC_SCOPES = env.text("OIDC_SCOPES", "openid email profile").split()
OIDC_CREATE = env.flag("OIDC_CREATE", False)  # whoever the provider knows gets an account, without any role
OIDC_GROUPS_CLAIM = env.text("OIDC_GROUPS_CLAIM", "groups")
OIDC_ROLES = env.group_roles("OIDC_ROLES")  # (group, catalogue, role)
OIDC_SECOND_STEP = env.flag("OIDC_SECOND_STEP", True)  # off: the provider asks for a second step itself
PASSWORD_SIGN_IN = env.flag("PASSWORD_SIGN_IN", True)
env.way_in(OIDC_ISSUER, OIDC_CLIENT_ID, PASSWORD_SIGN_IN)

# Alerts by e-mail
EMAIL_HOST = env.text("EMAIL_HOST")  # empty: no e-mail
EMAIL_PORT = env.integer("EMAIL_PORT", 587, 1, 65535)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_USER"), env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "tagstudio@localhost")

# Watching
METRICS_TOKEN = env.text("METRICS_TOKEN")  # empty: /metrics answers this machine alone

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["annotations.api.auth.DenyAll"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["annotations.api.auth.TokenAuthentication"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["annotations.api.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "annotations.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "annotations.api.problems.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
}
API_REQUESTS_PER_MINUTE = env.integer("API_REQUESTS_PER_MINUTE", 3000, 1, 10**6)  # for each token and web process
SPECTACULAR_SETTINGS = {
    "TITLE": "TagStudio",
    "DESCRIPTION": "Products in, approved tags out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "FacetKind": "annotations.models.Facet.Kind",
        "JobState": "annotations.models.Job.State",
        "BulkKind": "annotations.models.BulkRun.Kind",
        "ImportKind": ["products", "tags"],
        "AttributesAs": ["source", "suggestions", "approved"],
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "tagstudio.middleware.RequestIdFilter"}},
    "formatters": {"line": {"()": "tagstudio.logs.LineFormatter"}, "json": {"()": "tagstudio.logs.JsonFormatter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "filters": ["request_id"], "formatter": "line"},
    },
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {"django.request": {"level": "ERROR"}, "kombu": {"level": "WARNING"}, "celery": {"level": "WARNING"}},
}
