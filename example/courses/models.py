from __future__ import annotations

from django.conf import settings
from django.db import models


class Course(models.Model):
    """Whoever has its tag in the CRM takes part."""

    title = models.CharField(max_length=200)
    tag = models.SlugField(unique=True)
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="courses", blank=True)

    def __str__(self) -> str:
        return self.title
