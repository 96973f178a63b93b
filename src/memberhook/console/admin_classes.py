"""Base classes, forms and widgets of the console: Unfold's if it is in INSTALLED_APPS, else Django's own.

Import this module only once Django's apps are loaded, as `admin.py` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

    ModelAdmin = admin.ModelAdmin[Any]
    StackedInline = admin.StackedInline[Any, Any]
    TabularInline = admin.TabularInline[Any, Any]
    ModelForm = forms.ModelForm[Any]
    InlineFormSet = forms.BaseInlineFormSet[Any, Any, Any]
    Checkbox, Checkboxes, Password, Radios, Select, TextArea, TextInput = (
        forms.CheckboxInput,
        forms.CheckboxSelectMultiple,
        forms.PasswordInput,
        forms.RadioSelect,
        forms.Select,
        forms.Textarea,
        forms.TextInput,
    )
elif apps.is_installed("unfold"):
    from unfold.admin import ModelAdmin, StackedInline, TabularInline
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as Checkboxes
    from unfold.widgets import UnfoldAdminPasswordWidget as Password
    from unfold.widgets import UnfoldAdminRadioSelectWidget as Radios
    from unfold.widgets import UnfoldAdminSelectWidget as Select
    from unfold.widgets import UnfoldAdminTextareaWidget as TextArea
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput
    from unfold.widgets import UnfoldBooleanWidget as Checkbox
else:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
    from django.contrib.admin.widgets import AdminTextareaWidget as TextArea
    from django.contrib.admin.widgets import AdminTextInputWidget as TextInput
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
    from django.contrib.auth.forms import AdminUserCreationForm as UserCreationForm
    from django.forms import CheckboxInput as Checkbox
    from django.forms import CheckboxSelectMultiple as Checkboxes
    from django.forms import PasswordInput as Password
    from django.forms import RadioSelect as Radios
    from django.forms import Select

if not TYPE_CHECKING:
    from django.forms import BaseInlineFormSet as InlineFormSet
    from django.forms import ModelForm

__all__ = [
    "AdminPasswordChangeForm",
    "Checkbox",
    "Checkboxes",
    "ConsoleAdmin",
    "InlineFormSet",
    "ModelAdmin",
    "ModelForm",
    "Password",
    "Radios",
    "ReadOnlyAdmin",
    "Select",
    "StackedInline",
    "TextArea",
    "TextInput",
    "UntitledInline",
    "UserChangeForm",
    "UserCreationForm",
    "set_choices",
]


class UntitledInline(TabularInline):
    """Rows of a form, without the title that Unfold puts above each."""

    show_title = False


if hasattr(TabularInline, "hide_title"):  # its name before Unfold 0.110, which warns of it
    UntitledInline.hide_title = True  # type: ignore[attr-defined]


class ConsoleAdmin(ModelAdmin):
    """The base of all admins of the console, with its stylesheet."""

    show_full_result_count = False
    list_per_page = 50

    class Media:
        css = {"all": ["memberhook/console.css"]}


class ReadOnlyAdmin(ConsoleAdmin):
    """For rows that only the service writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def set_choices(form: ModelForm, name: str, choices: Iterable[tuple[str, Any]]) -> None:
    """Set the choices of a field that are only known at run time."""
    field: Any = form.fields[name]
    field.choices = list(choices)
