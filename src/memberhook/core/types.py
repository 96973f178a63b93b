"""The types of the plan: contact, member, options, plan. All frozen."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool | tuple[str, ...] | None
"""What a field can hold. Dates and date-times are ISO 8601 text; multi-selects are tuples of text."""


def as_it_is(value: Value) -> Value:
    return value


def value_from_json(value: Value | list[str]) -> Value:
    """A value as it comes out of JSON, which has lists instead of tuples."""
    return tuple(value) if isinstance(value, list) else value


class Action(enum.StrEnum):
    ADD = "add"
    UPDATE = "update"
    UPDATE_TAGS = "update_tags"


class FieldType(enum.StrEnum):
    """How a mapped value is read. AUTO: lists stay lists, everything else is text."""

    AUTO = "auto"
    TEXT = "text"
    MULTILINE = "multiline"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    CHECKBOX = "checkbox"
    SELECT = "select"
    MULTISELECT = "multiselect"
    RAW = "raw"


class UsernameFormat(enum.StrEnum):
    EMAIL = "email"
    FIRST_LAST = "first-last"
    FIRST_NUMBER = "first-number"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the CRM. It is known by `id`; slug and title may change."""

    id: str
    slug: str
    title: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A person in the CRM.

    `fields` holds built-in and custom fields by the CRM's own names, e-mail and names included. They may hold
    passwords, so they are never part of a repr; the same goes for those of members and changes.
    `tags` is None where the source does not have them (most payloads); `version` is the CRM's `updated_at`, text that
    sorts by time, or None.
    """

    id: str | None
    email: str
    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)
    tags: tuple[Tag, ...] | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Role:
    slug: str
    title: str
    privileged: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A user of a site as found. `tags` are those that came from the hook's connection.

    `protected`: holds a privileged role (or is staff), so e-mail, username, password and role stay as they are.
    `contact_id`, `contact_version`, `password_mark` come from the link with the hook's connection; None without one.
    `network_user`: has an account in the site's network, but is not a member of this site yet (WordPress multisite).
    `idempotency_key`: that of the plan that created it, where the site stores it. `needs_repair`: what the site stores
    of it for others (tags under the keys of another plugin) is not as it should be, so the plan is applied even if
    nothing changes.
    """

    id: str
    username: str
    email: str
    roles: frozenset[str] = frozenset()
    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)
    tags: tuple[Tag, ...] = ()
    protected: bool = False
    contact_id: str | None = None
    contact_version: str | None = None
    password_mark: str | None = None
    network_user: bool = False
    idempotency_key: str | None = None
    needs_repair: bool = False


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """`site_field ← crm_field`. `clears`: an empty value in the CRM empties the site's field."""

    site_field: str
    crm_field: str
    type: FieldType = FieldType.AUTO
    clears: bool = False


@dataclass(frozen=True, slots=True)
class TagRole:
    """While the contact has the tag (its id, slug or title), the member has the role (its slug)."""

    tag: str
    role: str


@dataclass(frozen=True, slots=True)
class HookOptions:
    """What the owner of a hook has set.

    `confirmed_privileged`: privileged roles among the allowed ones that the owner has confirmed by typing their names;
    no others are ever granted.
    """

    default_role: str = "subscriber"
    allowed_roles: frozenset[str] = frozenset()
    confirmed_privileged: frozenset[str] = frozenset()
    tag_roles: tuple[TagRole, ...] = ()
    field_map: tuple[FieldMapping, ...] = ()
    username_format: UsernameFormat = UsernameFormat.EMAIL
    welcome: bool = False
    return_password: bool = False
    trust_payload: bool = False


@dataclass(frozen=True, slots=True)
class UsernameRules:
    """What a site accepts as a username: at most `max_length` characters, only those `allowed`.

    `allowed` is the inside of a regex character class (`a-z0-9_.@-`). Digits are always among them.
    """

    max_length: int
    allowed: str


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """What the plan needs to know of a site.

    `emails`: lower-cased e-mail → ids of the members that have it; `taken_usernames`: in lower case. Both need to hold
    only what could matter for the contacts at hand. `normalize`: a value as the site would give it back.
    `no_welcome`: why members get no welcome e-mail; empty where they do.
    """

    roles: tuple[Role, ...]
    username_rules: UsernameRules
    emails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taken_usernames: frozenset[str] = frozenset()
    normalize: Callable[[Value], Value] = as_it_is
    no_welcome: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """What the deliveries of one contact ask for together.

    `roles`: from their URLs, oldest first. `notify`: the `send_notification` of the first `add`.
    `idempotency_key` names the primary delivery, for which a member is created; `password_kept`: an earlier attempt at
    it has stored the password of the member that it was about to create.
    """

    action: Action
    roles: tuple[str, ...] = ()
    notify: bool = False
    idempotency_key: str = ""
    password_kept: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What to write; None (or empty) leaves as it is. A password is never part of a repr.

    `role` becomes the member's only one; then `roles_added` are granted and `roles_removed` revoked.
    """

    email: str | None = None
    role: str | None = None
    roles_added: tuple[str, ...] = ()
    roles_removed: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)
    tags_applied: tuple[Tag, ...] = ()
    tags_removed: tuple[Tag, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The names of what changes, as an outcome's `changes` lists them."""
        named = (
            ("user_email", self.email is not None),
            ("role", bool(self.role is not None or self.roles_added or self.roles_removed)),
            ("user_pass", self.password is not None),
        )
        names = [name for name, changes in named if changes] + sorted(self.fields)
        return tuple(names + (["tags"] if self.tags_applied or self.tags_removed else []))


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change for one member.

    Exactly one of these holds: `ignored` says why nothing is done; `failed` says why it cannot be done, now or later;
    `member` is None: a member with `username` is created (`changes` has e-mail, role and all else); `member` is set:
    `changes` are made to it. In `changes.fields`, None empties a field.
    `link`: the contact has to be linked with the member (it is not yet, or with another contact).
    `generate_password`: a created member needs one; `return_password`: the generated one goes back to the CRM.
    `welcome`: the created member gets the welcome e-mail. `idempotency_key`: see `Intent`; the site stores it with a
    member that it creates. `is_retry`: an attempt that broke off has created this member for the same delivery.
    """

    contact: Contact
    member: Member | None = None
    username: str | None = None
    changes: Changes = field(default_factory=Changes)
    link: bool = False
    ignored: str | None = None
    failed: str | None = None
    generate_password: bool = False
    return_password: bool = False
    welcome: bool = False
    warnings: tuple[str, ...] = ()
    idempotency_key: str = ""
    is_retry: bool = False

    @property
    def creates(self) -> bool:
        return self.member is None and self.ignored is None and self.failed is None

    @property
    def changes_nothing(self) -> bool:
        return not self.creates and not self.changes.names()


class ApplyStatus(enum.Enum):
    DONE = "done"
    CONFLICT = "conflict"
    """The site has changed since it was planned (the username is taken by now, the member is gone): plan again."""
    REJECTED = "rejected"
    """The site will never accept this member."""
    TRY_LATER = "try_later"
    """The site failed over this member alone."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying one plan. Nothing was changed unless `status` is DONE; `message` says why, to the owner.

    `warnings`: what the site could not accept, besides those of the plan.
    """

    member_id: str = ""
    username: str = ""
    email: str = ""
    created: bool = False
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    status: ApplyStatus = ApplyStatus.DONE
    message: str = ""

    @property
    def done(self) -> bool:
        return self.status is ApplyStatus.DONE
