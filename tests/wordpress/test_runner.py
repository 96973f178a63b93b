"""That the WordPress which tests rely on is a real one, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.wordpress.runner import NOBODY, SCRIPT, WordPress, running

ME = "/wp-json/wp/v2/users/me?context=edit"

PLUGIN = """<?php
/* Plugin Name: Probe */
register_activation_hook(__FILE__, fn () => update_option('probe', 'activated'));
add_action('rest_api_init', function () {
    $answer = fn () => [get_option('probe'), defined('PROBE'), ini_get('precision'), __DIR__];
    register_rest_route('probe/v1', '/answer', ['callback' => $answer, 'permission_callback' => '__return_true']);
});
"""


def groups(folder: Path) -> list[int]:
    """The process groups of both servers."""
    return [int((folder / name).read_text()) for name in ("web.pid", "database.pid")]


def is_alive(group: int) -> bool:
    """A dead process that waits for its parent to notice doesn't count; the kernel tells on Linux only."""
    if not Path("/proc/self").exists():
        with suppress(ProcessLookupError):
            os.killpg(group, 0)
            return True
        return False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


def are_gone(groups: list[int]) -> bool:
    """Within seconds: the kernel takes a moment to kill."""
    until = time.monotonic() + 5
    while any(map(is_alive, groups)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(is_alive, groups))


def test_it_shows_pages(wordpress: WordPress) -> None:
    assert "Hello world!" in wordpress.get("/", NOBODY).data.decode()
    assert wordpress.get("/sample-page/", NOBODY).status == 200
    assert wordpress.get("/no-such-page/", NOBODY).status == 404
    assert wordpress.get("/wp-includes/css/buttons.css", NOBODY).headers["Content-Type"].startswith("text/css")


def test_the_admin_is_known_by_the_application_password(wordpress: WordPress) -> None:
    assert wordpress.get(ME).json()["roles"] == ["administrator"]
    assert wordpress.get(ME, NOBODY).status == 401


def test_a_user_is_known_by_theirs(wordpress: WordPress) -> None:
    reader = wordpress.user("reader", "subscriber")
    assert wordpress.get(ME, reader).json()["roles"] == ["subscriber"]
    assert wordpress.post("/wp-json/wp/v2/posts", {"title": "x"}, reader).status == 403
    assert wordpress.post("/wp-json/wp/v2/posts", {"title": "x"}).status == 201


def test_php_runs_in_it(wordpress: WordPress) -> None:
    assert wordpress.php("echo get_option('home');") == wordpress.url
    said = {"it's": ['"', "\\", "ü", None, 1.5]}
    assert wordpress.php_json("return $said;", said=said) == said
    with pytest.raises(AssertionError, match="no good"):
        wordpress.php("throw new Exception('no good');")


def test_php_runs_in_it_from_the_command_line(wordpress: WordPress, tmp_path: Path) -> None:
    file = tmp_path / "code.php"
    file.write_text("<?php echo get_bloginfo('version');")
    command = [sys.executable, str(SCRIPT), "php", "--data", str(wordpress.folder)]
    assert subprocess.check_output([*command, str(file)], text=True) == wordpress.version
    assert subprocess.check_output(command, text=True, input=file.read_text()) == wordpress.version


def test_mails_are_caught(wordpress: WordPress) -> None:
    wordpress.php("wp_mail('buyer@member.example', 'Schön', 'Welcome.');")
    (mail,) = wordpress.mails(to="buyer@member.example")
    assert mail["Subject"] == "Schön"
    assert mail.get_content().strip() == "Welcome."
    assert not wordpress.mails(to="admin@"), "the installation is silent"


def test_messages_of_php_are_in_the_log(wordpress: WordPress) -> None:
    wordpress.php("trigger_error('look here');")
    assert "look here" in wordpress.debug_log("look here")


def test_the_server_comes_back_when_killed(wordpress: WordPress) -> None:
    for _ in range(2):
        wordpress.kill_php()
        assert wordpress.get(ME).status == 200


def test_a_network_has_sites(multisite: WordPress) -> None:
    assert multisite.get(ME).status == 200
    shop = multisite.add_site("/shop/")
    assert shop == f"{multisite.url}/shop"
    assert multisite.get(f"{shop}/wp-json/").json()["home"] == shop
    assert multisite.get(f"{shop}{ME}").status == 200
    assert multisite.get(f"{shop}/wp-login.php", NOBODY).status == 200
    assert multisite.get(f"{shop}/wp-includes/css/buttons.css", NOBODY).status == 200


def test_plugins_and_settings(tmp_path: Path) -> None:
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe/main.php").write_text(PLUGIN)
    (tmp_path / "must.php").write_text("<?php define('PROBE', true);")
    added = {"plugin": [tmp_path / "probe"], "mu_plugin": [tmp_path / "must.php"], "ini": {"precision": 3}}
    with running(**added, plain_permalinks=True) as site:
        expected = ["activated", True, "3", f"{site.folder}/site/wp-content/plugins/probe"]
        assert site.get("/?rest_route=/probe/v1/answer", NOBODY).json() == expected
        assert site.get("/wp-json/probe/v1/answer", NOBODY).status == 404
        assert site.debug_log("probe") == ""


def test_a_folder_is_used_again_at_another_address(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)  # more than the path of a socket may have
    with running(data=folder, multisite=True) as first:
        first.add_site("/shop/")
        started = groups(first.folder)
        with pytest.raises(AssertionError, match="runs in"), running(data=folder):
            pass
    assert are_gone(started)
    with running(data=folder) as second:
        port = int(second.url.rsplit(":", 1)[1])
        assert (second.url, second.application_password) == (first.url, first.application_password)
    with running(data=folder, port=port + 1 if port < 65535 else port - 1) as third:
        assert third.url != first.url
        for url in (third.url, f"{third.url}/shop"):
            assert third.get(f"{url}/wp-json/").json()["home"] == url
            assert third.get(f"{url}{ME}").status == 200


def test_nothing_is_left_behind() -> None:
    with running() as site:
        started = groups(site.folder)
        assert all(map(is_alive, started))
    assert are_gone(started)
    assert not site.folder.exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(how: signal.Signals, wordpress: WordPress) -> None:
    with subprocess.Popen([sys.executable, str(SCRIPT), "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        folder = Path(json.loads(process.stdout.readline())["folder"])
        started = groups(folder)
        process.send_signal(how)
    assert process.returncode == 0
    assert are_gone(started)
    assert not folder.exists()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("WordPress cannot run, the program php is missing: apt-get install ")
    assert len(done.stderr.splitlines()) == 1
