from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Lower


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["email", "username"])
def test_members_are_found_by_an_index(column: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # the table is too small for the planner to bother
    users = User.objects.annotate(lowered=Lower(column)).filter(lowered__in=["ada@example.com", "b@example.com"])
    assert f"memberhook_user_{column}" in users.explain()
