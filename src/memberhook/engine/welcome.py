"""Send the welcome e-mail of the local site, with the username and a link to set a password."""

from __future__ import annotations

import smtplib
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from memberhook import addresses, conf
from memberhook.core.errors import PermanentError, TransientError
from memberhook.models.followups import FollowUp
from memberhook.models.members import MemberField


def send(followup: FollowUp) -> bool:
    """False when the member is gone. Raises `TransientError` or `PermanentError` when the message cannot be sent."""
    message = welcome_mail(followup)
    if message is None:
        return False
    try:
        mailer().send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        for_good = all(code >= 500 for code, _ in error.recipients.values())
        kind = PermanentError if for_good else TransientError
        raise kind("The mail server refused the member's address.", code="mail_refused") from error
    except OSError as error:
        raise TransientError(
            f"The mail server could not take the welcome e-mail ({type(error).__name__}); check MEMBERHOOK_EMAIL_URL.",
            code="mail_failed",
        ) from error
    return True


def welcome_mail(followup: FollowUp) -> EmailMessage | None:
    """Return the message, or None if the member no longer exists.

    Raises `PermanentError` if the project has no page to set a password.

    Its Message-ID depends only on the follow-up: if the worker dies after sending and sends it again, mail programs
    see one message.
    """
    user = get_user_model()._default_manager.filter(pk=followup.member_id).first()
    if user is None:
        return None
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    set_password_url = addresses.set_password_address(uid, default_token_generator.make_token(user))
    if set_password_url is None:
        raise PermanentError(
            "The project has no page for choosing a password: install memberhook.members_area, or name a URL "
            "password_reset_confirm.",
            code="no_password_page",
        )
    context: dict[str, Any] = {
        "site_name": conf.SITE_NAME(),
        "login": user.get_username(),
        "name": getattr(user, "first_name", "") or user.get_username(),
        "set_password_url": set_password_url,
        "login_url": addresses.login_address(),
    }
    with translation.override(_language_of(user)):
        subject = " ".join(render_to_string("memberhook/mail/welcome_subject.txt", context).split())
        body = render_to_string("memberhook/mail/welcome.txt", context)
    domain = urlsplit(addresses.public_url()).hostname or "localhost"
    email = getattr(user, user.get_email_field_name())
    return EmailMessage(
        subject, body, to=[email], headers={"Message-ID": f"<welcome.{followup.pk}.{user.pk}@{domain}>"}
    )


def _language_of(user: Any) -> str:
    """The language of the member's `locale` field (`de_DE`) if Django has it, else that of the site."""
    stored = MemberField.objects.filter(member=user, key="locale").values_list("value", flat=True).first()
    locale = stored or getattr(user, "locale", "")
    try:
        return translation.get_supported_language_variant(translation.to_language(str(locale).strip()))
    except LookupError:
        return settings.LANGUAGE_CODE


def mailer() -> BaseEmailBackend:
    """The mail backend: from Django 6.1 on one of `mailers`, before that a connection."""
    try:
        from django.core.mail import mailers
    except ImportError:
        from django.core.mail import get_connection

        return get_connection()
    return mailers.default
