"""Template tags of the console. `{% memberhook_overview %}` puts its overview on the front page of any admin site."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from memberhook.console.labels import action_label
from memberhook.console.overview import overview

register = template.Library()
register.filter(action_label)


@register.inclusion_tag("memberhook/console/overview.html", takes_context=True)
def memberhook_overview(context: template.Context) -> dict[str, Any]:
    """Nothing for those who may not look at deliveries."""
    may_look = context["request"].user.has_perm("memberhook.view_delivery")
    return {"overview": overview(timezone.now()) if may_look else None}
