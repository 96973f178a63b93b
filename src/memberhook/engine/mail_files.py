"""Outgoing mail as one file per message, until a mail server is set.

The file is named after the Message-ID and appears complete: sending the same message again replaces it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from memberhook import conf


def mail_folder() -> Path:
    return conf.DATA().resolve() / "mail"


class FileBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = mail_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for message in email_messages:
            content = message.message()
            name = re.sub(r"[^\w.-]+", "-", str(content["Message-ID"])).strip("-.")
            fresh = folder / f".{name}.{uuid4().hex}"
            with open(fresh, "wb") as stream:
                stream.write(content.as_bytes())
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(folder / f"{name}.eml")
        return len(email_messages)
