"""Hypothesis strategies for the plan: contacts, members, hooks and sites as hostile and odd as they come."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from memberhook.core.types import (
    Action,
    Contact,
    FieldMapping,
    FieldType,
    HookOptions,
    Intent,
    Member,
    Role,
    SiteSnapshot,
    Tag,
    TagRole,
    UsernameFormat,
    UsernameRules,
)
from tests.core.world import mark, snapshot_with

ODD = (
    *("", " ", "\0", "\u202e", "\ud800", "<<b>b>", 'Pia & "Pat" x', "O'Plus"),
    *("0000-00-00", "İstanbul", "👩\u200d🚀", "ﬁ", "Ⅷ"),
)
INJECTED = (
    *("Eve&role=administrator", "administrator\0", " ADMINISTRATOR ", "<b>administrator</b>"),
    "admini\u017ftrator",
)
CRM_FIELDS = ("a", "b", "c", "first_name", "last_name", "email", "level", "secret")
PLAIN_FIELDS = ("first_name", "last_name", "display_name", "phone", "interests", "renewal")
CLOSED_FIELDS = ("is_staff", "WP_Capabilities", "_x", "blog_2_user_level", "id", "user_registered", "")
OWN_FIELDS = ("user_login", "user_email", "user_pass", "role")
SLUGS = ("subscriber", "customer", "vip", "editor", "administrator")
EMAILS = ("ada@example.com", "ADA@Example.com", "eve@example.com", "ada+x@example.com", "zoë@x.org", "no address", "")

text = st.one_of(st.sampled_from(ODD), st.text(max_size=12), st.text(alphabet="<>/b =&\n'", max_size=14))
value = st.one_of(
    st.none(),
    text,
    st.sampled_from((*SLUGS, *INJECTED, "2027-01-31", "yes", "12,5", "a, b")),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False),  # reading a webhook or an answer refuses NaN, which equals nothing
    st.lists(text, max_size=3).map(tuple),
)
role_names = st.one_of(st.sampled_from((*SLUGS, "Customer", " VIP ", *INJECTED)), text)
crm_fields = dict.fromkeys(CRM_FIELDS, value) | {
    "first_name": text,
    "last_name": text,
    "email": st.sampled_from(EMAILS),
    "secret": st.one_of(text, st.just("old"), st.just("new password")),
    "level": role_names,
}
_seldom = st.sampled_from((False, False, False, True))
versions = st.one_of(st.none(), st.sampled_from(("2026-11-23 11:10:49", "2026-11-23 11:10:50", "2027-01-01 00:00:00")))


@st.composite
def tags(draw: st.DrawFn) -> tuple[Tag, ...]:
    """Few ids, so that contacts and members share some; slugs and titles differ from one time to the next."""
    ids = draw(st.lists(st.sampled_from("12345"), max_size=4))
    return tuple(Tag(i, draw(st.sampled_from(("gold", "news"))), draw(st.sampled_from(("Gold", "News")))) for i in ids)


@st.composite
def contacts(draw: st.DrawFn, ids: st.SearchStrategy[str | None] | None = None) -> Contact:
    return Contact(
        id=draw(ids if ids is not None else st.sampled_from((None, "7", "8"))),
        email=draw(st.sampled_from(EMAILS)),
        fields=draw(st.fixed_dictionaries({}, optional=crm_fields)),
        tags=draw(st.one_of(st.none(), tags())),
        version=draw(versions),
    )


mappings = st.builds(
    FieldMapping,
    site_field=st.sampled_from((PLAIN_FIELDS, PLAIN_FIELDS, OWN_FIELDS, OWN_FIELDS, CLOSED_FIELDS)).flatmap(
        st.sampled_from
    ),
    crm_field=st.sampled_from(CRM_FIELDS),
    type=st.sampled_from(FieldType),
    clears=st.booleans(),
)

_USUAL = (
    FieldMapping("user_email", "email"),
    FieldMapping("user_pass", "secret"),
    FieldMapping("role", "level"),
    FieldMapping("first_name", "first_name"),
    FieldMapping("display_name", "b", clears=True),
    FieldMapping("user_login", "a"),
)
USUAL_MAPS = (_USUAL, _USUAL[:3], _USUAL[3:5], ())

tag_roles = st.builds(
    TagRole,
    tag=st.sampled_from(("1", "2", " GOLD ", "news", "nothing", "")),
    role=st.sampled_from((*SLUGS, "subscriber", "customer", "vip", " Customer", "gone")),
)

hook_options = st.builds(
    HookOptions,
    default_role=st.sampled_from((*SLUGS, "subscriber", "subscriber", "gone", "Subscriber")),
    allowed_roles=st.frozensets(st.sampled_from((*SLUGS, "gone")), max_size=4),
    confirmed_privileged=st.frozensets(st.sampled_from(SLUGS)),
    tag_roles=st.lists(tag_roles, max_size=4).map(tuple),
    field_map=st.tuples(st.sampled_from(USUAL_MAPS), st.lists(mappings, max_size=5)).map(
        lambda two: (*two[0], *two[1])
    ),
    username_format=st.sampled_from(UsernameFormat),
    welcome=st.booleans(),
    return_password=st.booleans(),
    trust_payload=st.booleans(),
)

_titles = st.one_of(st.sampled_from((*SLUGS, "Subscriber", "Customer ", "VIP", "Vip")), text)
_odd_roles = st.builds(Role, st.sampled_from((*SLUGS, "Customer")), _titles, st.booleans())


@st.composite
def roles(draw: st.DrawFn) -> tuple[Role, ...]:
    """Most of the slugs, with titles that look like others' and privileges where nobody expects them; few namesakes."""
    usual = [Role(slug, draw(_titles), draw(st.booleans())) for slug in SLUGS if not draw(_seldom)]
    return (*draw(st.lists(_odd_roles, max_size=2)), *usual)


_role_lists = st.lists(role_names, max_size=3).map(tuple)
intents = st.builds(Intent, st.sampled_from(Action), _role_lists, st.booleans())

USERNAME_RULES = (
    UsernameRules(150, r"\w.@+-"),
    UsernameRules(60, r"A-Za-z0-9 _.\-@"),
    UsernameRules(60, "a-z0-9"),
    UsernameRules(12, "a-z0-9_.@-"),
    UsernameRules(20, "0-9"),
)


@st.composite
def snapshot(draw: st.DrawFn) -> SiteSnapshot:
    """Facts that know of members 2 and 3."""
    holders = st.lists(st.sampled_from(("2", "3")), min_size=1, max_size=2, unique=True).map(tuple)
    emails = st.sampled_from([email.lower() for email in EMAILS if email])
    usernames = st.sampled_from(("ada", "ada1", "ada2", "member", "ada@example.com-2"))
    taken = st.one_of(emails, usernames, text.map(str.lower))
    return SiteSnapshot(
        roles=draw(roles()),
        username_rules=draw(st.sampled_from(USERNAME_RULES)),
        emails=draw(st.dictionaries(emails, holders, max_size=2)) if draw(_seldom) else {},
        taken_usernames=draw(st.frozensets(taken, max_size=6)),
    )


@st.composite
def members(draw: st.DrawFn) -> Member:
    linked = draw(st.sampled_from((None, "7", "8")))
    network_user = draw(_seldom)
    return Member(
        id="1",
        username=draw(st.sampled_from(("ada", "eve@example.com"))),
        email=draw(st.sampled_from(EMAILS)),
        roles=frozenset() if network_user else draw(st.frozensets(st.sampled_from(SLUGS), max_size=2)),
        fields=draw(st.dictionaries(st.sampled_from(PLAIN_FIELDS), value, max_size=4)),
        tags=draw(tags()),
        protected=draw(st.booleans()),
        network_user=network_user,
        contact_id=linked,
        contact_version=draw(versions) if linked else None,
        password_mark=draw(st.sampled_from((None, mark("old")))) if linked else None,
    )


@dataclass(frozen=True)
class Case:
    """All that `plan` asks for."""

    intent: Intent
    options: HookOptions
    contact: Contact
    member: Member | None
    snapshot: SiteSnapshot


@st.composite
def cases(
    draw: st.DrawFn,
    who: st.SearchStrategy[Member | None] | None = None,
    actions: tuple[Action, ...] = (Action.ADD, Action.ADD, Action.UPDATE, Action.UPDATE_TAGS),
) -> Case:
    """`who`: the member, if any; by default, some cases have one."""
    member = draw(who if who is not None else st.one_of(st.none(), members()))
    return Case(
        intent=Intent(draw(st.sampled_from(actions)), draw(_role_lists), draw(st.booleans())),
        options=draw(hook_options),
        contact=draw(contacts()),
        member=member,
        snapshot=snapshot_with(draw(snapshot()), member),
    )
