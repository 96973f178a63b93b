"""Members read pages and e-mails in their own language, and nothing of it is left in English."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import translation

from memberhook import conf
from memberhook.engine.welcome import welcome_mail
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp, Kind
from memberhook.models.members import MemberField, RoleInfo
from memberhook.models.tags import Tag
from tests.members_area import pages_of_a_project
from tests.members_area.catalogs import Entry, compiled, languages, source_entries
from tests.members_area.test_password import link_to_set

OTHERS = [language for language in conf.LANGUAGES if language != "en"]

Page = Callable[[Client, Any], Any]


def test_there_is_a_catalog_for_each_language() -> None:
    assert languages() == sorted(OTHERS)


@pytest.mark.parametrize("language", OTHERS)
def test_the_catalog_is_complete(language: str) -> None:
    entries = source_entries(language)
    assert len(entries) > 40
    assert [e.msgid for e in entries if "fuzzy" in e.flags or not e.forms or not all(e.forms.values())] == []
    assert len({e.msgid for e in entries}) == len(entries)


def parts(text: str) -> list[str]:
    """What a translation may not lose or change: placeholders and markup."""
    return sorted(re.findall(r"%\(\w+\)s|</?\w+[^>]*>", text))


@pytest.mark.parametrize("language", OTHERS)
def test_placeholders_and_markup_survive(language: str) -> None:
    for entry in source_entries(language):
        for number, form in entry.forms.items():
            original = entry.plural if entry.plural and number else entry.msgid
            assert parts(form) == parts(original), form
            assert form[-1] == original[-1] or original[-1] not in ".?:", form


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_compiled_is_up_to_date(language: str) -> None:
    def texts(entry: Entry) -> Iterator[tuple[str | tuple[str, int], str]]:
        for number, form in entry.forms.items():
            yield (entry.msgid if entry.plural is None else (entry.msgid, number)), form

    assert compiled(language) == {key: form for e in source_entries(language) for key, form in texts(e)}


@pytest.mark.parametrize("language", OTHERS)
def test_all_catalogs_have_the_same_texts(language: str) -> None:
    assert {e.msgid for e in source_entries(language)} == {e.msgid for e in source_entries(OTHERS[0])}


class Texts(HTMLParser):
    """The texts of a page, those of its title and labels included."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found.update(filter(None, [" ".join(data.split()).strip(" .,:–")]))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.update(
            value for name, value in attrs if name in ("aria-label", "title", "alt", "placeholder") and value
        )


NAMES = {
    "The Club",
    "The Club’s",
    "Memberhook",
    "Memberhook – The Club",
    "ada",
    "Ada",
    "Ada Lovelace",
    "Lovelace",
    "Ada@example.com",
    "Bronze",
    "gold",
    "silver",
    "Paying Customer",
    "Choir Members",
    "Likes",
    "Vip member",
    "poems",
}
"""Texts that are data, the same in every language: names of the site, of members, tags, roles and fields."""

SAME_WORD = {("es", "Error"), ("es", "no"), ("fr", "Tags")}


GUARDED = {"no tag", "none of the tags", "no role"}
"""Pages of a project, which the service does not have."""


def wrong_password(client: Client, ada: Any) -> Any:
    return client.post("/login/", {"username": "ada", "password": "nonsense"})


def logged_in(address: str) -> Page:
    def page(client: Client, ada: Any) -> Any:
        client.force_login(ada)
        return client.get(address)

    return page


def choose_badly(client: Client, ada: Any) -> Any:
    form = client.get(link_to_set(ada))["Location"]
    return client.post(form, {"new_password1": "1234567", "new_password2": "1234567"})


PAGES: dict[str, tuple[Page, dict[str, str]]] = {
    "home": (
        lambda client, ada: client.get("/"),
        {"de": "hält die Mitglieder", "es": "está en marcha", "fr": "fonctionne"},
    ),
    "home of a member": (logged_in("/"), {"de": "Ihr Konto", "es": "Su cuenta", "fr": "Votre compte"}),
    "log in": (
        lambda client, ada: client.get("/login/"),
        {"de": "Passwort vergessen", "es": "¿Ha olvidado", "fr": "Mot de passe oublié"},
    ),
    "wrong password": (wrong_password, {"de": "nicht richtig", "es": "no son correctos", "fr": "incorrect"}),
    "log in again": (logged_in("/login/"), {"de": "als ada angemeldet", "es": "como ada", "fr": "en tant que ada"}),
    "account": (logged_in("/account/"), {"de": "Schlagwörter", "es": "Etiquetas", "fr": "Étiquettes"}),
    "forgot password": (
        lambda client, ada: client.get("/password/"),
        {"de": "Link senden", "es": "Enviar el enlace", "fr": "Envoyer le lien"},
    ),
    "no address": (
        lambda client, ada: client.post("/password/", {"email": ""}),
        {"de": "Fehler:", "es": "obligatorio", "fr": "Erreur"},
    ),
    "mail sent": (
        lambda client, ada: client.get("/password/sent/"),
        {"de": "Spam-Ordner", "es": "carpeta de spam", "fr": "indésirable"},
    ),
    "set password": (
        lambda client, ada: client.get(link_to_set(ada), follow=True),
        {"de": "Passwort festlegen", "es": "Establezca", "fr": "Définissez"},
    ),
    "bad password": (choose_badly, {"de": "Fehler:", "es": "demasiado corta", "fr": "Erreur"}),
    "old link": (
        lambda client, ada: client.get("/password/set/x/y/"),
        {"de": "nicht mehr gültig", "es": "ya no es válido", "fr": "n’est plus valide"},
    ),
    "no tag": (
        logged_in("/async/"),
        {
            "de": "mit dem Schlagwort <strong>gold",
            "es": "con la etiqueta <strong>gold",
            "fr": "l’étiquette <strong>gold",
        },
    ),
    "none of the tags": (
        logged_in("/metal/1/"),
        {"de": "einem dieser Schlagwörter", "es": "alguna de estas etiquetas", "fr": "l’une de ces étiquettes"},
    ),
    "no role": (
        logged_in("/customers/"),
        {"de": "mit der Rolle <strong>", "es": "con el rol <strong>", "fr": "ayant le rôle <strong>"},
    ),
}


@pytest.fixture
def known(ada: Any, give_tag: Callable[..., Tag], role: Callable[..., RoleInfo]) -> Any:
    """A member with a tag, a role and fields."""
    give_tag(ada, "7", "bronze", "Bronze")
    ada.groups.add(role("choir", "Choir Members").group)
    for key, value in {"likes": ["poems"], "vip_member": True}.items():
        MemberField.objects.create(member=ada, key=key, value=value)
    return ada


def read(language: str, page: Page, ada: Any) -> str:
    response = page(Client(headers={"accept-language": language}), ada)
    assert response.status_code in (200, 403)
    return str(response.content.decode())


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", PAGES)
def test_pages(known: Any, settings: Any, language: str, name: str) -> None:
    if name in GUARDED:
        settings.ROOT_URLCONF = pages_of_a_project.__name__
    page, words = PAGES[name]
    english, translated = read("en", page, known), read(f"{language},en;q=0.5", page, known)
    assert f'<html lang="{language}">' in translated
    assert words[language] in translated
    assert words[language] not in english
    left = (Texts(translated).found & Texts(english).found) - NAMES
    assert {(language, text) for text in left} <= SAME_WORD


def welcome(hook: Hook, user: Any) -> EmailMessage:
    delivery = Delivery.objects.create(hook=hook, action="add", ordering_key="x")
    message = welcome_mail(FollowUp.objects.create(delivery=delivery, kind=Kind.WELCOME, member_id=str(user.pk)))
    assert message is not None
    return message


def lines_of(message: EmailMessage) -> set[str]:
    """Subject and lines without what is data: names, addresses."""
    text = re.sub(r"https://\S+|\bada\b|The Club", "", f"{message.subject}\n{message.body}")
    return {line for part in text.splitlines() if (line := part.strip(" ,:."))} - {"Ada"}


@pytest.mark.parametrize(
    ("locale", "language", "subject"),
    [
        ("de_DE", "de", "Willkommen bei The Club"),
        ("de_CH_informal", "de", "Willkommen bei The Club"),
        ("ES", "es", "Le damos la bienvenida a The Club"),
        ("fr-CA", "fr", "Bienvenue chez The Club"),
        ("en_US", "en", "Welcome to The Club"),
    ],
)
def test_the_welcome_mail_is_in_the_members_language(
    hook: Hook, ada: Any, locale: str, language: str, subject: str
) -> None:
    MemberField.objects.create(member=ada, key="locale", value="en")
    english = welcome(hook, ada)
    MemberField.objects.filter(key="locale").update(value=locale)
    message = welcome(hook, ada)
    assert message.subject == subject
    assert language == "en" or not lines_of(message) & lines_of(english)
    assert message.body.count("https://club.example/") == english.body.count("https://club.example/") == 2
    assert "ada" in message.body
    assert translation.get_language() == "en"


@pytest.mark.parametrize("locale", ["", "tlh", "German", 7, "x" * 2000])
@pytest.mark.parametrize(("site", "subject"), [("en", "Welcome to The Club"), ("de", "Willkommen bei The Club")])
def test_without_a_known_language_the_welcome_mail_is_in_that_of_the_site(
    hook: Hook, ada: Any, settings: Any, locale: Any, site: str, subject: str
) -> None:
    settings.LANGUAGE_CODE = site
    MemberField.objects.create(member=ada, key="locale", value=locale)
    assert welcome(hook, ada).subject == subject


@pytest.mark.parametrize("language", OTHERS)
def test_the_mail_for_a_new_password_is_in_the_language_of_the_page(ada: Any, language: str) -> None:
    for code in ("en", language):
        Client(headers={"accept-language": code}).post("/password/", {"email": ada.email})
    english, translated = mail.outbox
    assert not lines_of(translated) & lines_of(english)
    assert re.findall(r"https://club.example/password/set/\S+", translated.body)


def test_a_site_and_its_members_may_have_marks_of_their_own(hook: Hook, ada: Any, settings: Any) -> None:
    """A percent sign is part of the formats of gettext, an ampersand of HTML."""
    settings.MEMBERHOOK_SITE_NAME = "100 % <b>Kunst & Co</b>"
    MemberField.objects.create(member=ada, key="locale", value="de")
    assert welcome(hook, ada).subject == "Willkommen bei 100 % <b>Kunst & Co</b>"
    page = read("de", lambda client, user: client.get("/"), ada)
    assert "Mitglieder von 100 % &lt;b&gt;Kunst &amp; Co&lt;/b&gt; auf" in page


@pytest.mark.parametrize("accepted", ["it", "", "*"])
def test_where_the_browser_asks_for_none_of_them_the_site_decides(db: None, settings: Any, accepted: str) -> None:
    settings.LANGUAGE_CODE = "fr"
    response = Client(headers={"accept-language": accepted}).get("/login/")
    assert "Mot de passe oublié" in response.content.decode()
    assert response["Content-Language"] == "fr"
    assert "Accept-Language" in response["Vary"]


def test_the_console_is_in_english(client: Client, ada: Any) -> None:
    """Half of it would be translated, by Django."""
    ada.is_staff = ada.is_superuser = True
    ada.save()
    client.force_login(ada)
    response = client.get("/console/", headers={"accept-language": "de"})
    assert response["Content-Language"] == "en"
    assert "Log out" in response.content.decode()
    assert "Abmelden" not in response.content.decode()


@pytest.mark.parametrize("code", ["de", " FR "])
def test_the_language_is_a_setting(settings: Any, code: str) -> None:
    settings.MEMBERHOOK_LANGUAGE = code
    assert conf.LANGUAGE() == code.strip().lower()


@pytest.mark.parametrize("code", ["", "it", "de_DE", "Deutsch"])
def test_a_language_without_translations_stops_the_start(settings: Any, code: str) -> None:
    settings.MEMBERHOOK_LANGUAGE = code
    with pytest.raises(
        ImproperlyConfigured, match=r"MEMBERHOOK_LANGUAGE cannot be read: .* is not one of en, de, es, fr"
    ):
        conf.LANGUAGE()
