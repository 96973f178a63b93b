"""The log-in form: accepts the username or the e-mail address."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

LONGEST_EMAIL = 254  # RFC 5321, as Django's own e-mail fields


class LoginForm(AuthenticationForm):
    """Django's form, but the e-mail address works too, and case does not matter in either."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("The username or password is not correct. Passwords are case-sensitive."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = get_user_model()
        field = self.fields["username"]
        by_email = model.get_email_field_name() == model.USERNAME_FIELD
        field.label = _("E-mail") if by_email else _("Username or e-mail")
        field.widget.attrs["maxlength"] = max(LONGEST_EMAIL, self.username_field.max_length or 0)

    def clean_username(self) -> str:
        return username_of(self.cleaned_data["username"])


def username_of(entered: str) -> str:
    """Return the username of the one user with this username or e-mail, ignoring case.

    If there is no such user or more than one, return what was entered. The project's authentication backends decide
    whether the user may log in.
    """
    model = get_user_model()
    users = model._default_manager.annotate(
        memberhook_username=Lower(model.USERNAME_FIELD), memberhook_email=Lower(model.get_email_field_name())
    )
    meant = users.filter(Q(memberhook_username=entered.lower()) | Q(memberhook_email=entered.lower()))
    usernames = {user.get_username() for user in meant}
    return usernames.pop() if len(usernames) == 1 else entered
