"""Settings of the club. What Memberhook needs is marked."""

from __future__ import annotations

import os
from pathlib import Path

import django

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("CLUB_DATA", BASE_DIR / "data"))
DATA.mkdir(exist_ok=True)

SECRET_KEY = "an-example-has-no-secrets"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "accounts.apps.AccountsConfig",
    "courses.apps.CoursesConfig",
    "memberhook",  # Memberhook
    "memberhook.members_area",  # Memberhook: log-in and account pages
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "club.urls"
WSGI_APPLICATION = "club.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "club.sqlite3",
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {  # Memberhook
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.Person"
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "OPTIONS": {"file_path": DATA / "mail"},
        }
    }
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA / "mail"
DEFAULT_FROM_EMAIL = "The Club <club@example.com>"
LANGUAGE_CODE = "en"
USE_TZ = True
STATIC_URL = "static/"

# Memberhook
LOGIN_URL = "memberhook:login"
LOGIN_REDIRECT_URL = "memberhook:account"
PASSWORD_RESET_TIMEOUT = 7 * 24 * 3600
MEMBERHOOK_DATA = DATA
MEMBERHOOK_PUBLIC_URL = "http://127.0.0.1:8000"
MEMBERHOOK_SITE_NAME = "The Club"
MEMBERHOOK_USER_FIELDS = ["first_name", "last_name", "phone", "birthday"]
