"""A real WordPress for tests: `scripts/wordpress` in a process of its own, and what tests want of it."""

from __future__ import annotations

import base64
import email.policy
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import urllib3

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/wordpress"
MUST_BE_INSTALLED = 1  # the status that the script ends with
BACK = 20.0
NOBODY = ("", "")

Account = tuple[str, str]  # username, application password


class NotInstalledError(Exception):
    """Says what to install."""


@dataclass
class WordPress:
    url: str
    version: str
    admin_user: str
    admin_password: str
    application_password: str
    folder: Path
    info: Mapping[str, Any]  # all that the script reports
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, maxsize=20))

    # --- as its owner sees it

    def php(self, code: str, **values: object) -> str:
        """What code prints that runs in WordPress; the values are variables there."""
        done = subprocess.run(
            self.info["php"], input=_variables(values) + code, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def php_json(self, code: str, **values: object) -> Any:
        """What code returns (`return get_user_meta($id);`). It stands in a function: `global $wpdb` if you want it."""
        inside = f"echo json_encode((function () {{ {_variables(values)}{code}\n }})(), JSON_THROW_ON_ERROR);"
        return json.loads(self.php(inside))

    def user(self, username: str, role: str) -> Account:
        """A new user with that role and an application password; WordPress sends no mail about it."""
        code = """
            $user = ['user_login' => $username, 'user_email' => "$username@member.example", 'role' => $role];
            $id = wp_insert_user($user + ['user_pass' => wp_generate_password()]);
            if (is_wp_error($id)) {
                throw new Exception($id->get_error_message());
            }
            return WP_Application_Passwords::create_new_application_password($id, ['name' => 'tests'])[0];"""
        return username, self.php_json(code, username=username, role=role)

    def add_site(self, path: str) -> str:
        """The address of a new site in the network."""
        code = """
            remove_filter('wp_normalize_site_data', 'wp_normalize_site_data'); // in old WordPress it drops the port
            $network = get_network();
            $site = ['domain' => $network->domain, 'path' => $path, 'title' => $path, 'user_id' => 1];
            $id = wp_insert_site($site);
            if (is_wp_error($id)) {
                throw new Exception($id->get_error_message());
            }
            return get_home_url($id);"""
        return str(self.php_json(code, path=path))

    def mails(self, to: str = "") -> list[EmailMessage]:
        """What WordPress has sent, the oldest first."""
        files = sorted(Path(self.info["mails"]).glob("*.eml"))
        found = [email.message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=_POLICY) for file in files]
        return [mail for mail in found if to in str(mail["To"])]

    def debug_log(self, about: str = "") -> str:
        """PHP's messages; old WordPress has deprecations of its own there, so ask about a file or plugin."""
        lines = Path(self.info["debug_log"]).read_text("utf-8", "replace").splitlines(keepends=True)
        return "".join(line for line in lines if about in line)

    def kill_php(self) -> None:
        """kill -9 for PHP's server with whatever it is at; returns once the script has started it again."""
        pid_file = self.folder / "web.pid"
        killed = int(pid_file.read_text())
        os.killpg(killed, signal.SIGKILL)
        until = time.monotonic() + BACK
        while int(pid_file.read_text()) == killed or not self._listens():
            assert time.monotonic() < until, "PHP's server doesn't come back"
            time.sleep(0.02)

    def _listens(self) -> bool:
        address = urllib3.util.parse_url(self.url)
        with socket.socket() as probe:
            return probe.connect_ex((address.host, address.port)) == 0

    # --- over HTTP

    def get(self, path: str, user: Account | None = None) -> urllib3.BaseHTTPResponse:
        return self.send("GET", path, user=user)

    def post(self, path: str, json: object, user: Account | None = None) -> urllib3.BaseHTTPResponse:
        return self.send("POST", path, json, user)

    def send(
        self, method: str, path: str, json: object = None, user: Account | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """As the admin if no user is named; path may be an address too, for other sites of a network."""
        username, password = user or (self.admin_user, self.application_password)
        if username:
            headers |= urllib3.make_headers(basic_auth=f"{username}:{password}")
        url = path if path.startswith(self.url) else self.url + path
        return self.http.request(method, url, json=json, headers=headers, timeout=30)


_POLICY = email.policy.default


def _variables(values: Mapping[str, object]) -> str:
    if not values:
        return ""
    packed = base64.b64encode(json.dumps(values).encode()).decode()
    return f"extract(json_decode(base64_decode('{packed}'), true));\n"


def _arguments(options: Mapping[str, Any]) -> Iterator[str]:
    """`multisite=True, plugin=[a, b], ini={"x": "1"}` → `--multisite --plugin a --plugin b --ini x=1`"""
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif isinstance(value, Mapping):
            for key, setting in value.items():
                yield from (option, f"{key}={setting}")
        elif isinstance(value, list | tuple):
            for each in value:
                yield from (option, str(each))
        elif value is not None and value is not False:
            yield from (option, str(value))


@contextmanager
def running(**options: Any) -> Iterator[WordPress]:
    """The options are those of `scripts/wordpress`. It ends when we do, however that is."""
    options.setdefault("wordpress", os.environ.get("MEMBERHOOK_TEST_WORDPRESS"))
    command = [sys.executable, str(SCRIPT), "--json", "--until-stdin-closes", *_arguments(options)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        if not line:
            said = process.stderr.read()
            if process.wait() == MUST_BE_INSTALLED:
                raise NotInstalledError(said.strip())
            raise AssertionError(said)
        info = json.loads(line)
        named = {
            name: info[name] for name in ("url", "version", "admin_user", "admin_password", "application_password")
        }
        site = WordPress(**named, folder=Path(info["folder"]), info=info)
        try:
            with closing(process.stdin):
                yield site
        finally:
            site.http.clear()
            said = process.stderr.read()
    assert process.returncode == 0, said
