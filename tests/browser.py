"""A headless Chromium, for tests of pages and for the pictures in the documentation.

Talks to Chromium over a pipe, in the DevTools protocol. That takes no driver, no open port and no package, only
Debian's `chromium` or another that `CHROMIUM` names.
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 30.0  # seconds; a machine under load is slow
FLAGS = (
    "--headless",
    "--no-sandbox",  # it shows pages of our own only, and root has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--lang=en-US",
    "--remote-debugging-pipe",
)


class NoBrowserError(Exception):
    """Says what to install."""


class Browser:
    """One page. What waits does so for `PATIENCE` at most, then fails with what it waited for."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._numbers = itertools.count(1)
        self._read = b""
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self._call("Page.enable")

    # --- going about

    def open(self, url: str) -> None:
        """Returns once the page and all that it needs is there."""
        failed = self._call("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        done = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, f"{script}: {done['exceptionDetails']}"
        return done["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Until the JavaScript expression is true, also over the change to another page."""
        until = time.monotonic() + PATIENCE
        while True:
            with suppress(AssertionError):  # between two pages there is none to ask
                if self.run(f"!!({script})"):
                    return
            assert time.monotonic() < until, f"in vain at {self.run('location.href')}: {script}"
            time.sleep(0.05)

    def see(self, selector: str) -> None:
        self.wait_for(f"document.readyState === 'complete' && document.querySelector({json.dumps(selector)})")

    def click(self, selector: str) -> None:
        self.see(selector)
        self.run(f"{_element(selector)}.click()")

    def follow(self, selector: str) -> None:
        """Clicks on what leads to another page, and waits for that."""
        self.see(selector)
        self.run("window.isOld = true")
        self.run(f"{_element(selector)}.click()")
        self.wait_for("!window.isOld && document.readyState === 'complete'")

    def type(self, selector: str, text: str) -> None:
        """Replace the content of the field with the text."""
        self.see(selector)
        self.run(f"{_element(selector)}.focus(), {_element(selector)}.select?.()")
        self._call("Input.insertText", text=text)

    def choose_file(self, selector: str, file: Path) -> None:
        self.see(selector)
        found = self._call("Runtime.evaluate", expression=_element(selector))["result"]["objectId"]
        self._call("DOM.setFileInputFiles", files=[str(file)], objectId=found)

    # --- pictures

    def resize(self, width: int, height: int) -> None:
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, width: int, height: int, scale: float = 1.0) -> bytes:
        """The upper left corner of what is seen, as PNG."""
        x, y = self.run("[window.scrollX, window.scrollY]")
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": scale}
        return base64.b64decode(self._call("Page.captureScreenshot", format="png", clip=clip)["data"])

    # --- the pipe: JSON, each message ended by a zero byte

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next(method)).get("id") != number:
            pass  # it tells much that nobody has asked for
        assert "error" not in answer, f"{method}: {answer['error']['message']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self, waiting_for: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._back], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"Chromium does not answer {waiting_for}"
            piece = os.read(self._back, 1 << 20)
            assert piece, "Chromium has ended"
            self._read += piece
        message, _, self._read = self._read.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


def _element(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"


@contextmanager
def browser() -> Iterator[Browser]:
    """Raises `NoBrowserError` where there is none."""
    program = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if program is None:
        raise NoBrowserError("There is no Chromium: apt-get install --no-install-recommends chromium")
    pipes = [*os.pipe(), *os.pipe()]
    theirs_in, to, back, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipes)
    for end in pipes:
        os.close(end)
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        numbered = [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        quiet = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = os.posix_spawn(program, command, os.environ, file_actions=[*numbered, quiet], setpgroup=0)
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(to, back)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(to)
            os.close(back)
