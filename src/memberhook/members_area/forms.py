"""The forms of the local pages: log in by login or e-mail, ask for a new password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.db.models import Q
from django.db.models.functions import Lower

LONGEST_EMAIL = 254  # RFC 5321, as Django's own e-mail fields


class LoginForm(AuthenticationForm):
    """Django's, but the e-mail will do as well as the login, and capital letters in either do not matter."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "The login and the password do not belong together. In the password, capital letters count.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = get_user_model()
        field = self.fields["username"]
        by_email = model.get_email_field_name() == model.USERNAME_FIELD
        field.label = "E-mail" if by_email else "Login or e-mail"
        field.widget.attrs["maxlength"] = max(LONGEST_EMAIL, self.username_field.max_length or 0)

    def clean_username(self) -> str:
        return username_of(self.cleaned_data["username"])


def username_of(entered: str) -> str:
    """The login of the one user whose login or e-mail this is, in any case; where that is nobody or several, or where
    it is somebody's login as it stands, what was entered. Whether it may log in is for the project's backends to say.
    """
    model = get_user_model()
    users = model._default_manager.annotate(
        memberhook_login=Lower(model.USERNAME_FIELD), memberhook_email=Lower(model.get_email_field_name())
    )
    meant = users.filter(Q(memberhook_login=entered.lower()) | Q(memberhook_email=entered.lower()))
    logins = {user.get_username() for user in meant}
    return logins.pop() if len(logins) == 1 else entered
