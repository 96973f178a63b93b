"""Responses other than plain results: errors of WordPress and FluentCRM, and HTML pages.

Recorded from FluentCRM 2.9.84 on WordPress 7.1, or measured on 6.1.9.
"""

from __future__ import annotations

from typing import Any


class RestError(Exception):
    """`body`: JSON as Python values, or text, which is an HTML page."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def _rest_error(status: int, code: str, message: str, **data: Any) -> RestError:
    return RestError(status, {"code": code, "message": message, "data": {"status": status, **data}})


def no_route() -> RestError:
    """An unknown route, a wrong method, or any route of an inactive plugin."""
    return _rest_error(404, "rest_no_route", "No route was found matching the URL and request method.")


def forbidden(status: int) -> RestError:
    """401: nobody is logged in, whether the password was wrong or missing. 403: this user may not."""
    return _rest_error(status, "rest_forbidden", "Sorry, you are not allowed to do that.")


def invalid_json() -> RestError:
    message = "Invalid JSON body passed."
    return _rest_error(400, "rest_invalid_json", message, json_error_code=4, json_error_message="Syntax error")


def invalid_email() -> RestError:
    """FluentCRM's validation errors have neither a code nor a message."""
    return RestError(422, {"email": {"email": "The email must be a valid email address."}})


def email_taken() -> RestError:
    return RestError(422, {"email": {"unique": "Provided email already assigned to another subscriber."}})


def not_found(method: str) -> RestError:
    """An unknown contact is 422 when read and 404 when changed."""
    if method == "GET":
        return RestError(422, {"message": "Subscriber not found"})
    return RestError(404, {"message": "No query results for model [FluentCrm\\App\\Models\\Subscriber]."})


def critical_error() -> RestError:
    """PHP died."""
    message = (
        "<p>There has been a critical error on this website.</p>"
        '<p><a href="https://wordpress.org/documentation/article/faq-troubleshooting/">'
        "Learn more about troubleshooting WordPress.</a></p>"
    )
    body = {"code": "internal_server_error", "message": message, "data": {"status": 500}, "additional_errors": []}
    return RestError(500, body)


def page(title: str, text: str) -> str:
    """An HTML page of a theme, a web server or a firewall."""
    return (
        f'<!DOCTYPE html>\n<html lang="en-US">\n<head><meta charset="UTF-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
    )
