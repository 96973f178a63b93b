"""Pages for members: log in, log out, account and password. Django's views with our templates.

Links in e-mails start with MEMBERHOOK_PUBLIC_URL, never with the Host header, which the client controls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import load_backend
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import NoReverseMatch, reverse, reverse_lazy
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic.base import ContextMixin
from django.views.generic.edit import FormView

from memberhook import addresses, conf
from memberhook.core.closed_fields import is_secret
from memberhook.core.field_values import as_text
from memberhook.members_area.access import role_titles, tags_of
from memberhook.members_area.forms import LoginForm
from memberhook.models.members import MemberField
from memberhook.sites.local.user_columns import to_value, user_columns

DISPLAY_NAME = "display_name"


def site_name(request: HttpRequest) -> dict[str, str]:
    """Context processor: the name of the site."""
    return {"site_name": conf.SITE_NAME()}


def page_context(request: HttpRequest) -> dict[str, Any]:
    """The variables of base.html, for projects without our context processor."""
    return site_name(request) | {"member": request.user if request.user.is_authenticated else None}


class Page(ContextMixin):
    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | page_context(self.request)


class Login(Page, auth.LoginView):
    form_class = LoginForm
    template_name = "memberhook/login.html"


class Logout(auth.LogoutView):
    """Accept POST only, so that no link or image on another site can log a member out."""

    def get_default_redirect_url(self) -> str:
        return resolve_url(settings.LOGOUT_REDIRECT_URL or "memberhook:login")


class ForgotPassword(Page, auth.PasswordResetView):
    """Send the link. The answer is the same whether or not the account exists."""

    template_name = "memberhook/forgot_password.html"
    success_url = reverse_lazy("memberhook:password_mail_sent")

    def get_form(self, form_class: type[PasswordResetForm] | None = None) -> PasswordResetForm:
        form = super().get_form(form_class)
        form.fields["email"].label = _("E-mail")
        return form

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        form.save(
            domain_override=addresses.public_url(),  # without it Django reads the Host header
            subject_template_name="memberhook/mail/new_password_subject.txt",
            email_template_name="memberhook/mail/new_password.txt",
            token_generator=self.token_generator,
            extra_email_context={"site_name": conf.SITE_NAME()},
        )
        return FormView.form_valid(self, form)


class PasswordMailSent(Page, auth.PasswordResetDoneView):
    template_name = "memberhook/password_mail_sent.html"


class SetPassword(Page, auth.PasswordResetConfirmView):
    """The target of the links in the welcome and new-password e-mails. Saving the password logs the member in."""

    template_name = "memberhook/set_password.html"
    success_url = reverse_lazy("memberhook:account")

    def form_valid(self, form: SetPasswordForm[Any]) -> HttpResponse:
        self.post_reset_login_backend = _backend_of(self.user)
        self.post_reset_login = self.post_reset_login_backend is not None
        return super().form_valid(form)


def _backend_of(user: Any) -> str | None:
    """Return the first backend that accepts this user. None: the member is sent to the log-in page."""
    for path in settings.AUTHENTICATION_BACKENDS:
        get_user = getattr(load_backend(path), "get_user", None)
        if get_user and get_user(user.pk) is not None:
            return path
    return None


@require_safe
@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show what the site knows about the logged-in member, without anything that looks like a password."""
    user: Any = request.user
    columns = {name: to_value(getattr(user, name)) for name in user_columns()}
    labels = {name: capfirst(str(column.verbose_name)) for name, column in user_columns().items()}
    rows = MemberField.objects.filter(member=user).order_by("key").values_list("key", "value")
    fields = columns | dict(rows)
    display_name = fields.pop(DISPLAY_NAME, None) or _full_name(user) or user.get_username()
    context = page_context(request) | {
        "email": getattr(user, user.get_email_field_name()),
        "display_name": display_name,
        "roles": role_titles(user),
        "tags": sorted(tag.title for tag in tags_of(user)),
        "fields": list(_shown(fields, labels)),
        "console": console_url() if getattr(user, "is_staff", False) else None,
    }
    return render(request, "memberhook/account.html", context)


def _full_name(user: Any) -> str:
    return f"{getattr(user, 'first_name', '') or ''} {getattr(user, 'last_name', '') or ''}".strip()


def _shown(fields: dict[str, Any], labels: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield labels and readable values, leaving out empty fields and anything that looks like a secret."""
    for name, value in fields.items():
        if value in (None, "", [], ()) or is_secret(name):
            continue
        label = labels.get(name) or re.sub(r"[\W_]+", " ", name).strip().capitalize()
        yield label or name, _readable(value)


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else as_text(value)


def console_url() -> str | None:
    """The path of the admin site, or None in a project without one."""
    try:
        return reverse("admin:index")
    except NoReverseMatch:
        return None
