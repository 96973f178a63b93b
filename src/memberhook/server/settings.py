"""Django settings of the service. All come from memberhook.conf; what is missing in the data folder is made here."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.utils.functional import lazy

from memberhook import conf
from memberhook.server.data import public_url, secret_key
from memberhook.server.mail import mail_settings

DATA: Path = conf.DATA().resolve()
MEMBERHOOK_PUBLIC_URL = public_url(DATA)
_public = urlsplit(MEMBERHOOK_PUBLIC_URL)

SECRET_KEY = lazy(secret_key, str)(DATA / "secret.key")  # made when first needed, not by --help
DEBUG = False
ALLOWED_HOSTS = [_public.hostname or "localhost", "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
if _public.scheme == "https":
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "memberhook",
    "memberhook.members_area",
    "memberhook.server",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "memberhook.server.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "memberhook.members_area.pages.site_name",
            ]
        },
    }
]

_SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": DATA / "memberhook.sqlite3",
    "OPTIONS": {
        # WAL and FULL: what was answered 2xx is on disk. IMMEDIATE: a transaction never fails half-way for a lock.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000",
    },
}
_DATABASE = dj_database_url.parse(conf.DATABASE_URL()) if conf.DATABASE_URL() else _SQLITE
DATABASES = {"default": {**_DATABASE, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

vars().update(mail_settings(conf.EMAIL_URL()))
DEFAULT_FROM_EMAIL = conf.FROM_EMAIL()

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_RESET_TIMEOUT = 7 * 24 * 3600  # a welcome e-mail may wait for its reader
LOGIN_URL = "memberhook:login"
LOGIN_REDIRECT_URL = "memberhook:account"
LOGOUT_REDIRECT_URL = "memberhook:login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # urllib3 would log addresses with e-mails in them
    "loggers": {"memberhook": {"level": conf.LOG_LEVEL()}, "urllib3": {"level": "WARNING"}},
}
UNFOLD = {"SITE_TITLE": "Memberhook", "SITE_HEADER": "Memberhook", "SITE_SYMBOL": "webhook"}
