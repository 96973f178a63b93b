"""What the simulated site answers when it isn't a plain result: WordPress's and FluentCRM's errors, and HTML pages.

Its one decision: a handler returns its JSON or raises `RestError`; only this module knows how refusals look.
Recorded from FluentCRM 2.9.84 on WordPress 7.1, or measured on 6.1.9.
"""

from __future__ import annotations

from typing import Any


class RestError(Exception):
    """`body`: JSON as Python values, or a text, which is an HTML page."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def rest_error(status: int, code: str, message: str, **data: Any) -> RestError:
    return RestError(status, {"code": code, "message": message, "data": {"status": status, **data}})


def no_route() -> RestError:
    """For an unknown route, a wrong method, and every route of a plugin that is not active."""
    return rest_error(404, "rest_no_route", "No route was found matching the URL and request method.")


def forbidden(status: int) -> RestError:
    """401: nobody is logged in, be it for a wrong password or for none. 403: this user may not."""
    return rest_error(status, "rest_forbidden", "Sorry, you are not allowed to do that.")


def invalid_json() -> RestError:
    message = "Invalid JSON body passed."
    return rest_error(400, "rest_invalid_json", message, json_error_code=4, json_error_message="Syntax error")


def invalid(field: str, rule: str) -> RestError:
    """FluentCRM's validation error: neither a code nor a message."""
    return RestError(422, invalid_fields({field: rule}))


def invalid_fields(rules: dict[str, str]) -> dict[str, Any]:
    texts = {
        "required": "The {} field is required.",
        "email": "The {} must be a valid email address.",
        "taken": "Provided {} already assigned to another subscriber.",
        "unique": "The {} attribute is already taken and must be unique.",
    }
    names = {"taken": "unique"}
    return {field: {names.get(rule, rule): texts[rule].format(field)} for field, rule in rules.items()}


def not_found(method: str) -> RestError:
    """An unknown contact is 422 when read and 404 when changed."""
    if method == "GET":
        return RestError(422, {"message": "Subscriber not found"})
    return RestError(404, {"message": "No query results for model [FluentCrm\\App\\Models\\Subscriber]."})


def sql_error(message: str) -> RestError:
    return RestError(423, {"message": f"{message} (SQL: the query)"})


def critical_error(message: str | None = None) -> RestError:
    """PHP died. `message`: with debugging on, the site tells why, paths included."""
    data: dict[str, Any] = {"status": 500}
    if message is not None:
        where = "/srv/site-a/wp-content/plugins/fluent-crm/app/Http/Controllers/SubscriberController.php"
        data["error"] = {"type": 1, "message": f"Uncaught Error: {message}", "file": where, "line": 293}
    said = (
        "<p>There has been a critical error on this website.</p>"
        '<p><a href="https://wordpress.org/documentation/article/faq-troubleshooting/">'
        "Learn more about troubleshooting WordPress.</a></p>"
    )
    body = {"code": "internal_server_error", "message": said, "data": data, "additional_errors": []}
    return RestError(500, body)


def page(title: str, text: str) -> str:
    """A small HTML page, as a theme, a web server or a firewall gives it."""
    return (
        f'<!DOCTYPE html>\n<html lang="en-US">\n<head><meta charset="UTF-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
    )
