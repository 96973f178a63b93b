"""Django settings of the service, made of `memberhook.conf`. The secret key is created when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from django.utils.functional import lazy

from memberhook import conf, extras
from memberhook.server.data import public_url, secret_key
from memberhook.server.mail import mail_settings

extras.require("server", "The service", "dj_database_url", "httptools", "unfold", "uvicorn", "whitenoise")

DATA: Path = conf.DATA().resolve()
MEMBERHOOK_PUBLIC_URL = public_url(DATA)
_public = urlsplit(MEMBERHOOK_PUBLIC_URL)
_path = _public.path.rstrip("/")

SECRET_KEY = lazy(secret_key, str)(DATA / "secret.key")  # not created by --help
DEBUG = False
ALLOWED_HOSTS = [_public.hostname or "localhost", "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
if _path:  # behind a proxy that hands one path of its site to the service
    FORCE_SCRIPT_NAME = _path
    SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{_path}/"
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
    "memberhook.server.language.LanguageMiddleware",
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
        # WAL and FULL: what was answered 2xx is on disk. IMMEDIATE: no transaction fails for a lock when half done.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000",
    },
}
if conf.DATABASE_URL().startswith(("postgres:", "postgresql:")):
    extras.require("postgresql", "A PostgreSQL database", "psycopg")
_DATABASE: Mapping[str, object] = _SQLITE
if conf.DATABASE_URL():
    import dj_database_url

    _DATABASE = dj_database_url.parse(conf.DATABASE_URL())
DATABASES = {"default": {**_DATABASE, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

vars().update(mail_settings(conf.EMAIL_URL()))
DEFAULT_FROM_EMAIL = conf.FROM_EMAIL()

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_RESET_TIMEOUT = 7 * 24 * 3600  # how long the link in the welcome e-mail is valid
LOGIN_URL = "memberhook:login"
LOGIN_REDIRECT_URL = "memberhook:account"
LOGOUT_REDIRECT_URL = "memberhook:login"

LANGUAGE_CODE = conf.LANGUAGE()
LANGUAGES = list(conf.LANGUAGES.items())
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # urllib3 would log URLs that contain e-mail addresses
    "loggers": {"memberhook": {"level": conf.LOG_LEVEL()}, "urllib3": {"level": "WARNING"}},
}
UNFOLD = {"SITE_TITLE": "Memberhook", "SITE_HEADER": "Memberhook", "SITE_SYMBOL": "webhook"}
