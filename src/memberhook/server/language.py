"""The language of a page: the one the browser asks for, but English for the console, which has no translations yet."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation


class LanguageMiddleware(LocaleMiddleware):
    def process_view(self, request: HttpRequest, *view: Any) -> None:
        if request.resolver_match and "admin" in request.resolver_match.app_names:
            translation.activate("en")
            request.LANGUAGE_CODE = "en"
