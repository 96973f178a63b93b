"""Makes the pictures of the pages about WordPress: each step, in a real WordPress and in the real console.

    python scripts/make_pictures.py --wordpress FOLDER           makes them all
    python scripts/make_pictures.py --wordpress FOLDER upload    only those that are named

FOLDER is an unpacked WordPress, best the newest one: readers compare the pictures with their own. Beside what
scripts/wordpress needs this takes Chromium, pngquant and a font that resembles what WordPress asks for:

    apt-get install --no-install-recommends chromium pngquant fonts-roboto-unhinted

Look at each picture before you commit it: no test knows whether it shows what it should.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM  # noqa: E402
from tests.browser import Browser, browser  # noqa: E402
from tests.server.conftest import PASSWORD, Service  # noqa: E402
from tests.wordpress.runner import WordPress, running  # noqa: E402

PICTURES = ROOT / "docs" / "images" / "wordpress"
STAND_IN = ROOT / "tests/wordpress/plugins/fluentcrm-stand-in.php"
LARGEST = 80_000  # bytes
WIDTH = 1000
CONSOLE_PASSWORD = "correct horse battery"
SHOWN_PASSWORD = "abcd EFGH 1234 ijkl MNOP 5678"

# A new site as its owner would have it, with a name. Avatars are off: they come from another server.
OWNERS_SITE = """
update_option('blogname', 'Sourdough School');
update_option('show_avatars', 0);
add_role('customer', 'Customer', ['read' => true]);
wp_insert_user(['user_login' => 'server', 'user_email' => 'server@members.example',
    'user_pass' => wp_generate_password(), 'role' => 'administrator']);
foreach (get_users() as $user) {
    update_user_meta($user->ID, 'show_welcome_panel', 0);
    update_user_meta($user->ID, 'dismissed_wp_pointers', 'theme_editor_notice,plugin_editor_notice');
}
wp_update_user(['ID' => 1, 'user_email' => 'owner@members.example']);
"""

PEOPLE = (
    ("ada@example.com", "Ada", "Lovelace", "customer"),
    ("grace@example.com", "Grace", "Hopper", "customer"),
    ("katherine@example.com", "Katherine", "Johnson", "subscriber"),
)


@dataclass
class Steps:
    """Each method is a step of the page and leaves its picture; later ones rely on those before."""

    page: Browser
    wordpress: WordPress
    service: Service
    crm: Running
    folder: Path
    account: tuple[str, str] = ("", "")  # username and application password that the connector's page has made

    def all(self) -> dict[str, Callable[[], bytes]]:
        return {
            "application-password": self.application_password,
            "new-password": self.new_password,
            "upload": self.upload,
            "activated": self.activated,
            "user": self.user,
            "settings": self.settings,
            "members": self.members,
            "member": self.member,
            "console": self.console,
        }

    # --- in WordPress

    def log_in(self) -> None:
        self.page.resize(WIDTH, 700)
        self.page.open(f"{self.wordpress.url}/wp-login.php")
        self.page.type("#user_login", self.wordpress.admin_user)
        self.page.type("#user_pass", self.wordpress.admin_password)
        self.page.follow("#wp-submit")

    def admin(self, path: str) -> None:
        self.page.open(f"{self.wordpress.url}/wp-admin/{path}")
        self.page.see("#wpcontent")

    def user_id(self, username: str) -> int:
        return int(self.wordpress.php_json("return get_user_by('login', $username)->ID;", username=username))

    def application_password(self) -> bytes:
        self.admin(f"user-edit.php?user_id={self.user_id('server')}")
        self.page.type("#new_application_password_name", "Memberhook")
        self.page.run("document.activeElement.blur()")
        marked = ("#new_application_password_name", "#do_new_application_password")
        return self.shot("#application-passwords-section", 400, *marked)

    def new_password(self) -> bytes:
        self.page.click("#do_new_application_password")
        self.page.see("#new-application-password-value")
        self.page.run(f"document.querySelector('#new-application-password-value').value = '{SHOWN_PASSWORD}'")
        return self.shot("#application-passwords-section", 560, "#new-application-password-value")

    def upload(self) -> bytes:
        self.service.cli("wordpress", "plugin", "--output", str(self.folder / "memberhook-connector.zip"))
        self.admin("plugin-install.php?tab=upload")
        self.page.choose_file("#pluginzip", self.folder / "memberhook-connector.zip")
        return self.shot("body", 320, ".wp-upload-form")

    def activated(self) -> bytes:
        self.page.follow("#install-plugin-submit")
        self.page.follow(".button-primary[href*='action=activate']")
        self.admin("plugins.php")
        self.page.see("tr.active[data-slug^=memberhook]")
        return self.shot("body", 440, "tr.active[data-slug^=memberhook]")

    def user(self) -> bytes:
        self.admin("options-general.php?page=memberhook")
        self.page.follow("[name=memberhook_connect]")
        self.account = ("memberhook", self.page.run("document.querySelector('#memberhook-password').innerText"))
        self.page.run(
            f"""(() => {{
                document.querySelector('#memberhook-password').innerText = '{SHOWN_PASSWORD}';
                document.querySelector('#memberhook-command').innerText = 'memberhook site add wordpress --name club '
                    + '--url https://club.example --username memberhook --password-stdin';
            }})()"""
        )
        return self.shot("body", 640, "#memberhook-password", "#memberhook-command")

    def members(self) -> bytes:
        """Here Memberhook comes in: members are made as they would be."""
        site = ("--url", self.wordpress.url, "--username", self.account[0], "--password-stdin", "--allow-private")
        self.service.cli("site", "add", "wordpress", "--name", "club", *site, stdin=self.account[1])
        shop = ("--url", self.crm.url, "--username", "memberhook", "--password-stdin", "--allow-private")
        self.service.cli("connect", "fluentcrm", "--name", "shop", *shop, stdin=PASSWORD)
        hook = ("--connection", "shop", "--site", "club", "--allow-role", "customer")
        self.service.key = self.service.json("hook", "add", *hook)["access_key"]
        for email, _, _, role in PEOPLE:
            answer = self.service.hook(f"wpf_action=add&role={role}", {"id": self.crm.crm.find(email)})
            assert answer.data["status"] == "applied", answer.text
        self.admin("users.php")
        return self.shot("body", 520, "th#role", *(f"#user-{self.user_id(email)} .column-role" for email, *_ in PEOPLE))

    def member(self) -> bytes:
        self.admin(f"user-edit.php?user_id={self.user_id('ada@example.com')}")
        return self.shot("h2:has(+ table .user-user-login-wrap)", 640, "#role", "#first_name", "#last_name", "#email")

    def settings(self) -> bytes:
        """The connector's own page, as it is where FluentCRM runs: for this picture, the one that tests have."""
        stand_in = Path(self.wordpress.info["files"]) / "wp-content/mu-plugins" / STAND_IN.name
        shutil.copyfile(STAND_IN, stand_in)
        self.wordpress.php(
            """stand_in_install();
            $wpdb->update($wpdb->prefix . 'fc_tags', ['title' => 'Newsletter'], ['id' => 2]);"""
        )
        self.admin("options-general.php?page=memberhook")
        self.page.click("#memberhook-enabled")
        self.page.type("#memberhook-url", "https://members.example/hooks/shop/events")
        self.page.type("#memberhook-key", "whsec_notarealone")
        self.page.click("[name='memberhook_outbox[members]'][value=tags]")
        self.page.click("[name='memberhook_outbox[tags][]']")
        self.page.run("document.activeElement.blur()")
        shown = self.shot(
            "h2:has(+ p + form[action='options.php'])", 700, "#memberhook-enabled", "#memberhook-url", "#memberhook-key"
        )
        stand_in.unlink()
        return shown

    # --- in Memberhook

    def console(self) -> bytes:
        address = f"http://127.0.0.1:{self.service.port}/console/"
        self.page.resize(1300, 1240)
        self.page.open(address)
        self.page.type("#id_username", "me")
        self.page.type("#id_password", CONSOLE_PASSWORD)
        self.page.follow("[type=submit]")
        self.page.open(f"{address}memberhook/site/")
        self.page.follow("#result_list a[href*='/site/'][href$='/change/']")
        self.page.run(
            """(() => {
                document.querySelector('#id_url').value = 'https://club.example';
                document.querySelector('#id_allow_private').checked = false;
            })()"""
        )
        self.mark("form[action$='/test/'] button")
        return self.page.picture(1300, 1240, WIDTH / 1300)

    # --- the picture

    def shot(self, top: str, height: int, *marked: str) -> bytes:
        """From a little above one element, with red frames around others."""
        self.page.resize(WIDTH, 700)  # with less of it WordPress's menu is scrolled away
        self.mark(*marked)
        self.page.run(
            f"""(() => {{
                document.querySelector('#wpbody-content').style.paddingBottom = '700px'; // the last can be at the top
                const top = document.querySelector({top!r}).getBoundingClientRect().top + window.scrollY;
                window.scrollTo({{top: Math.max(0, top - 60), behavior: 'instant'}});
            }})()"""
        )
        self.page.run("new Promise(done => setTimeout(done, 500))")  # what fades in or slides
        return self.page.picture(WIDTH, height)

    def mark(self, *marked: str) -> None:
        self.page.run(
            f"""(() => {{
                for (const old of document.querySelectorAll('[data-marked]')) old.style.outline = 'none';
                for (const selector of {list(marked)!r}) {{
                    const element = document.querySelector(selector);
                    element.dataset.marked = '';
                    element.style.outline = '3px solid #d63638';
                    element.style.outlineOffset = element.matches('tr, td, th') ? '-3px' : '3px';
                }}
            }})()"""
        )


def small(picture: bytes) -> bytes:
    command = ["pngquant", "--speed", "1", "--strip", "--quality", "60-95", "128", "-"]
    return subprocess.run(command, input=picture, capture_output=True, check=True).stdout


@contextmanager
def shop() -> Iterator[Running]:
    simulated = SimulatedFluentCRM(datetime.now)
    simulated.add_user("memberhook", PASSWORD)
    simulated.add_tag("Course")
    for email, first, last, _ in PEOPLE:
        simulated.add_contact(email, first, last, tags=("Course",))
    with Running(simulated) as running_crm:
        yield running_crm


@contextmanager
def memberhook(folder: Path) -> Iterator[Service]:
    service = Service(folder)
    service.start()
    try:
        new = ("member", "add", "me", "--email", "me@example.com", "--role", "administrator", "--password-stdin")
        service.cli(*new, stdin=CONSOLE_PASSWORD)
        yield service
    finally:
        service.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordpress", type=Path, metavar="FOLDER", help="an unpacked WordPress (default: Debian's)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", default=PICTURES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    options = parser.parse_args()
    for program in ("pngquant", "chromium"):
        if not shutil.which(program):
            print(f"{program} is missing: apt-get install --no-install-recommends {program}", file=sys.stderr)
            return 1
    options.output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as data,
        shop() as crm,
        memberhook(Path(data)) as service,
        running(wordpress=options.wordpress) as wordpress,
        browser() as page,
    ):
        wordpress.php(OWNERS_SITE)
        steps = Steps(page, wordpress, service, crm, Path(folder))
        steps.log_in()
        known = steps.all()
        if unknown := set(options.names) - set(known):
            parser.error(f"there is no picture {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        print(f"WordPress {wordpress.version}")
        for name, step in known.items():
            picture = small(step())
            assert len(picture) < LARGEST, f"{name} has {len(picture)} bytes"
            if not options.names or name in options.names:
                (options.output / f"{name}.png").write_bytes(picture)
                print(f"{name}: {len(picture)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
