"""The field map and the tag rules of a hook, as rows on its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from memberhook.console.admin_classes import InlineFormSet, ModelForm, Select, TextInput, UntitledInline
from memberhook.console.hook_form import HookChoices, with_stored
from memberhook.models.hook_rows import UNKNOWN_TYPE, MappedField, TagRule, check_distinct, tag_name
from memberhook.services.hooks import DEFAULT_MAP

SITE_FIELD_LIST, TAG_LIST = "mh-site-fields", "mh-tags"
"""Ids of the `<datalist>` elements that the page has."""


class HookFormSet(InlineFormSet):
    """Rows that are validated against the hook as it is in the form, saved or not."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]  # the stubs do not have it
        form.instance.hook = self.instance
        return form


class RowFormSet(HookFormSet):
    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.has_changed() or form.instance.pk]
        if not any(self.errors):
            check_distinct([form.instance for form in kept if form not in self.deleted_forms])


class RowForm(ModelForm):
    do_not_call_in_templates = True  # Unfold's templates look at the class

    def __init__(self, *args: Any, choices: HookChoices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices = choices


class MappedFieldForm(RowForm):
    class Meta:
        model = MappedField
        fields = ("site_field", "crm_field", "type", "clears")
        error_messages: Mapping[str, Any] = {"type": {"invalid_choice": UNKNOWN_TYPE}}
        widgets: Mapping[str, Any] = {
            "site_field": TextInput(attrs={"list": SITE_FIELD_LIST, "autocomplete": "off"}),
            "crm_field": Select,
            "type": Select,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        widget: Any = self.fields["crm_field"].widget
        widget.choices = [("", "—"), *with_stored(self.choices.crm_fields, self.instance.crm_field)]


class TagRuleForm(RowForm):
    """The tag is a text with suggestions, since a connection may have thousands."""

    class Meta:
        model = TagRule
        fields = ("tag", "role")
        widgets: Mapping[str, Any] = {
            "tag": TextInput(attrs={"list": TAG_LIST, "autocomplete": "off"}),
            "role": Select,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [entry for kind in (False, True) for entry in self.choices.role_choices(privileged=kind)]
        widget: Any = self.fields["role"].widget
        widget.choices = [("", "—"), *with_stored(roles, self.instance.role)]
        if self.instance.pk:
            self.initial["tag"] = tag_name(self.instance.tag, self.choices.tags)


class RowInline(UntitledInline):
    """Whoever may add or change the hook may do so with its rows."""

    formset = RowFormSet

    def _may_change(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"memberhook.{'change' if obj and obj.pk else 'add'}_hook")

    has_add_permission = has_change_permission = has_delete_permission = _may_change

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj) or request.user.has_perm("memberhook.view_hook")


class MappedFieldInline(RowInline):
    model = MappedField
    form = MappedFieldForm
    verbose_name = _("mapped field")
    verbose_name_plural = _("field map (copied from the CRM at every add and update)")

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 1 if obj else 1 + len(DEFAULT_MAP)


class TagRuleInline(RowInline):
    model = TagRule
    form = TagRuleForm
    extra = 1
    verbose_name = _("tag rule")
    verbose_name_plural = _("roles that follow tags (the member has the role as long as the contact has the tag)")
