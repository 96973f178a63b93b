"""The whole case: a course is bought on site A, and the buyer is a member of site B who is enrolled in it.

Site A is the simulated FluentCRM with its Outgoing Webhook, between them is the service in processes of its own, site B
is a real WordPress with the connector and with the recipe of docs/enrol.md. The LMS on it is a stand-in of ours.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from tests.docs_pages import ROOT, blocks, commands
from tests.server.conftest import PASSWORD, Service
from tests.server.test_contract import wait_until
from tests.wordpress.conftest import CONNECTOR, connector_account
from tests.wordpress.runner import WordPress, running
from tests.wordpress.test_connector import apply, change, plan

PAGE = ROOT / "docs" / "enrol.md"
RECIPE = ROOT / "docs" / "recipes" / "memberhook-enrol.php"
STAND_IN = ROOT / "tests" / "wordpress" / "plugins" / "lms-stand-in.php"
POST_TYPES = {12: "course", 34: "sfwd-courses", 56: "groups"}
COURSE, CLUB = ({"id": "1", "slug": "course", "title": "Course"}, {"id": "2", "slug": "club", "title": "Club"})

HELD = """
    $in = array_filter([
        'lifterlms:12' => llms_is_user_enrolled($id, 12),
        'learndash:34' => get_user_meta($id, 'course_34_access_from', true),
        'learndash-group:56' => get_user_meta($id, 'learndash_group_users_56', true),
        'group:7' => groups_is_user_member($id, 7),
    ]);
    return array_keys($in);"""


@pytest.fixture(scope="module")
def site_b() -> Iterator[WordPress]:
    with running(plugin=[CONNECTOR], mu_plugin=[STAND_IN, RECIPE]) as site:
        site.php(
            "add_role('customer', 'Customer', ['read' => true]); add_role('student', 'Student', ['read' => true]);"
        )
        for number, kind in POST_TYPES.items():
            add_post(site, number, kind)
        yield site


def add_post(site: WordPress, number: int, kind: str) -> None:
    code = (
        "wp_insert_post(['import_id' => $id, 'post_type' => $kind, 'post_title' => $kind, 'post_status' => 'publish']);"
    )
    site.php(code, id=number, kind=kind)


@pytest.fixture(scope="module")
def site_a() -> Iterator[Running]:
    crm = SimulatedFluentCRM(datetime.now)
    crm.add_user("memberhook", PASSWORD)
    for title in ("Course", "Club", "Refunded"):
        crm.add_tag(title)
    with Running(crm) as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, site_a: Running, site_b: WordPress) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("data"))
    try:
        set_up(service, site_a, site_b)
        yield service
    finally:
        service.stop()


def set_up(service: Service, site_a: Running, site_b: WordPress) -> None:
    """Service and automations as docs/enrol.md says."""
    account = ("--url", site_a.url, "--username", "memberhook", "--password-stdin", "--allow-private")
    service.json("connect", "fluentcrm", "--name", "shop", *account, stdin=PASSWORD)
    add_site(service, site_b)
    service.key = add_hook(service, "course")
    service.start()
    address = f"http://127.0.0.1:{service.port}/?wpf_action={{}}&access_key={service.key}"
    site_a.crm.add_automation("course", address.format("add") + "&role=customer&send_notification=true")
    site_a.crm.add_automation("club", address.format("add"))
    site_a.crm.add_automation("refunded", address.format("update_tags"))


def page_command(start: str) -> list[str]:
    """The words of the page's command that begins so, without the program's name."""
    lines = [line for block in blocks(PAGE) if block.kind in ("sh", "text") for line in commands(block)]
    [line] = [line for line in lines if line.startswith(f"memberhook {start} ")]
    return shlex.split(line)[1:]


def add_site(service: Service, site: WordPress) -> None:
    username, password = connector_account(site)
    here = {"https://club.example": site.url, "memberhook": username}
    words = [here.get(word, word) for word in page_command("site add")]
    service.json(*words, "--allow-private", stdin=password)


def add_hook(service: Service, name: str) -> str:
    """The hook of that name, as on the page; its key."""
    made = service.json(*page_command(f"hook add --connection shop --site club --name {name}"))
    return str(made["access_key"])


def held(site: WordPress, user_id: int) -> list[str]:
    """What the member is enrolled in."""
    return list(site.php_json(HELD, id=user_id))


def calls(site: WordPress) -> list[list[Any]]:
    return list(site.php_json("return get_option('enrolment_calls', []);"))


class Buyer:
    """Somebody on site A, and what became of them on site B."""

    def __init__(self, service: Service, site_a: Running, site_b: WordPress, name: str) -> None:
        self.service, self.crm, self.site_b = service, site_a.crm, site_b
        self.email = f"{name}@example.com"
        self.contact = self.crm.add_contact(self.email, name.title(), "Lovelace")

    def tagged(self, *, applied: str, removed: str = "") -> dict[str, Any]:
        """The tags change at once, an automation sends its webhook; the delivery, once it is done."""
        before = len(self.service.json("deliveries"))
        with self.crm.change():
            if removed:
                self.crm.remove_tag(self.contact, removed)
            self.crm.apply_tag(self.contact, applied)
        assert self.crm.wait_until_sent(30)
        assert self.crm.notes[-1].status in (200, 202), self.crm.notes[-1]
        deliveries = self.service.settle(before + 1)
        newest = max(deliveries, key=lambda each: int(each["id"]))
        assert newest["contact"] == str(self.contact)
        return newest

    @property
    def member(self) -> dict[str, Any]:
        [member] = self.service.json("members", self.email, "--site", "club")
        return dict(member)

    @property
    def held(self) -> list[str]:
        return held(self.site_b, int(self.member["id"]))


def test_bought_on_a_enrolled_on_b(service: Service, site_a: Running, site_b: WordPress) -> None:
    ada = Buyer(service, site_a, site_b, "ada")
    bought = ada.tagged(applied="course")
    assert (bought["status"], bought["warnings"]) == ("applied", [])
    assert (ada.member["roles"], ada.member["tags"], ada.held) == (["customer"], ["course"], ["lifterlms:12"])
    assert len(site_b.mails(ada.email)) == 1
    assert site_b.php_json("return get_user_meta($id, 'llms_trigger_12', true);", id=ada.member["id"]) == "memberhook"

    before = calls(site_b)
    again = service.hook("wpf_action=add&role=customer", {"id": ada.contact})
    assert (again.data["status"], calls(site_b)) == ("unchanged", before)

    refunded = ada.tagged(applied="refunded", removed="course")
    assert (refunded["status"], refunded["action"]) == ("applied", "update_tags")
    assert (ada.member["roles"], ada.member["tags"], ada.held) == (["customer"], ["refunded"], [])
    assert len(site_b.mails(ada.email)) == 1

    ada.tagged(applied="course", removed="refunded")
    assert ada.held == ["lifterlms:12"]


def test_one_tag_comes_and_another_goes_and_what_both_give_stays(
    service: Service, site_a: Running, site_b: WordPress
) -> None:
    grace = Buyer(service, site_a, site_b, "grace")
    grace.tagged(applied="course")
    before = calls(site_b)
    grace.tagged(applied="club", removed="course")
    assert grace.held == ["lifterlms:12", "learndash:34", "learndash-group:56", "group:7"]
    assert not [call for call in calls(site_b)[len(before) :] if call[0].startswith("llms")]
    grace.tagged(applied="refunded", removed="club")
    assert grace.held == []


def test_a_course_that_is_not_there_holds_the_buyer_up_until_it_is(
    service: Service, site_a: Running, site_b: WordPress
) -> None:
    site_b.php("wp_delete_post(12, true);")
    joan = Buyer(service, site_a, site_b, "joan")
    joan.crm.apply_tag(joan.contact, "course")
    assert joan.crm.wait_until_sent(30)
    line = RECIPE.read_text("utf-8").partition("throw new RuntimeException")[0].count("\n") + 1
    blamed = f"RuntimeException in mu-plugins/memberhook-enrol.php, line {line}."
    wait_until(lambda: blamed in json.dumps(service.json("deliveries")))
    assert service.json("members", joan.email, "--site", "club") == []
    add_post(site_b, 12, "course")
    service.settle(len(service.json("deliveries")))
    assert joan.held == ["lifterlms:12"]


def test_without_code_the_tag_gives_a_role(service: Service, site_a: Running, site_b: WordPress) -> None:
    mary = Buyer(service, site_a, site_b, "mary")
    mary.tagged(applied="course")
    headers = {"X-Access-Key": add_hook(service, "school")}
    service.post("/hooks/school?wpf_action=update", {"id": mary.contact}, **headers)
    assert mary.member["roles"] == ["customer", "student"]
    mary.crm.remove_tag(mary.contact, "course")
    service.post("/hooks/school?wpf_action=update_tags", {"id": mary.contact}, **headers)
    assert (mary.member["roles"], mary.held) == (["customer"], [])


# --- the recipe alone


def member(site: WordPress, name: str, *tags: dict[str, str]) -> int:
    values = {"login": name, "email": f"{name}@member.example", "contact": name, "tags_applied": list(tags)}
    [made] = apply(site, plan(**values), tags=[COURSE, CLUB])
    return int(made["id"])


def test_what_a_member_has_otherwise_stays(site_b: WordPress) -> None:
    me = member(site_b, "otherwise")
    site_b.php(
        """llms_enroll_student($id, 12, 'order_5'); ld_update_course_access($id, 34);
        ld_update_group_access($id, 56); groups_join_group(7, $id);""",
        id=me,
    )
    everything = held(site_b, me)
    assert len(everything) == 4
    before = calls(site_b)
    apply(site_b, change(me, tags_applied=[CLUB]))
    apply(site_b, change(me, tags_removed=[CLUB]))
    assert (held(site_b, me), calls(site_b)) == (everything, before)


def test_an_enrolment_that_became_somebody_elses_stays(site_b: WordPress) -> None:
    """LifterLMS knows why somebody is enrolled."""
    me = member(site_b, "renewed", COURSE)
    site_b.php("llms_unenroll_student($id, 12); llms_enroll_student($id, 12, 'order_6');", id=me)
    apply(site_b, change(me, tags_removed=[COURSE]))
    assert held(site_b, me) == ["lifterlms:12"]


def test_who_was_taken_out_by_hand_stays_out_as_long_as_the_tag_stays(site_b: WordPress) -> None:
    me = member(site_b, "by-hand", COURSE)
    site_b.php("llms_unenroll_student($id, 12);", id=me)
    apply(site_b, change(me, tags_applied=[{"id": "9", "slug": "news", "title": "News"}]))
    assert held(site_b, me) == []
    apply(site_b, change(me, tags_removed=[COURSE]))
    apply(site_b, change(me, tags_applied=[COURSE]))
    assert held(site_b, me) == ["lifterlms:12"]


def test_a_ban_outlives_the_tag(site_b: WordPress) -> None:
    before = member(site_b, "banned-before")
    site_b.php("update_user_meta($id, 'bp_group_7', 'banned');", id=before)
    after = member(site_b, "banned-after", CLUB)
    site_b.php("update_user_meta($id, 'bp_group_7', 'banned');", id=after)
    apply(site_b, change(before, tags_applied=[CLUB]), change(after, tags_removed=[CLUB]))
    banned = "return array_map(fn ($id) => groups_is_user_banned($id, 7), $ids);"
    assert site_b.php_json(banned, ids=[before, after]) == [True, True]


def test_the_note_of_what_was_enrolled_is_closed_to_the_crm(site_b: WordPress) -> None:
    me = member(site_b, "note", COURSE)
    apply(site_b, change(me, fields={"memberhook_enrolled": ["group:7"]}))
    assert site_b.php_json("return get_user_meta($id, 'memberhook_enrolled', true);", id=me) == ["lifterlms:12"]
    capabilities = json.loads(site_b.get("/wp-json/memberhook/v1/site").data)
    assert "memberhook_enrolled" not in capabilities["meta_keys"]


def test_members_who_have_the_tag_already(site_b: WordPress) -> None:
    """The one-off of docs/enrol.md."""
    me = member(site_b, "already", COURSE)
    site_b.php("llms_unenroll_student($id, 12); delete_user_meta($id, 'memberhook_enrolled');", id=me)
    [command] = [block.text for block in blocks(PAGE) if block.text.startswith("wp eval ")]
    site_b.php(shlex.split(command)[2])
    assert held(site_b, me) == ["lifterlms:12"]
