"""The connector plugin that comes with this version: the zip for WordPress, and one PHP file for must-use plugins."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

FOLDER = "memberhook-connector"
FILE = f"{FOLDER}.php"
IN_ZIP = f"{FOLDER}/{FILE}"

_REQUIRE = re.compile(rb"^require_once __DIR__ \. '/(includes/[a-z-]+\.php)';\n", re.MULTILINE)
_OPENING = re.compile(rb"\A<\?php\n(/\*\*.*?\*/\n)\ndefined\( 'ABSPATH' \) \|\| exit;\n", re.DOTALL)


def _root() -> Traversable:
    return files("memberhook.sites.wordpress") / "plugin" / FOLDER


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_bytes()


def sources() -> dict[str, bytes]:
    """All files of the plugin by their path in its folder."""
    return dict(_walk(_root()))


def source() -> bytes:
    """The plugin as one file: the main file, with each included file replacing its `require_once`."""
    return _REQUIRE.sub(lambda found: _body(found[1].decode()), (_root() / FILE).read_bytes())


def _body(path: str) -> bytes:
    """A file without its opening tag and its guard against direct access; those of the main file are enough."""
    content = _root().joinpath(*path.split("/")).read_bytes()
    opening = _OPENING.match(content)
    if opening is None:
        raise ValueError(f"{path} does not begin as a part of the plugin does")
    title = re.sub(rb"\n \*\n \* @package \w+\n \*/", rb"\n */", opening[1])
    return b"\n// " + path.encode() + b"\n" + title + content[opening.end() :]


def version() -> str:
    """Of the plugin's header."""
    found = re.search(rb"^ \* Version: +(\S+)$", (_root() / FILE).read_bytes(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{FILE} has no version")
    return found[1].decode()


def zip_name() -> str:
    return f"{FOLDER}-{version()}.zip"


def as_zip() -> bytes:
    """Byte for byte the same wherever it is made: time and rights are set, not taken from the files."""
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for path, content in sources().items():
            entry = ZipInfo(f"{FOLDER}/{path}")  # of 1980
            entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, 3, 0o100644 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def is_ours(content: bytes) -> bool:
    """Whether that is a connector that some version wrote, as PHP or as zip."""
    if content.startswith(b"<?php"):
        return re.search(rb"Plugin Name: +Memberhook Connector\n", content[:1000]) is not None
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except BadZipFile:
        return False
    return IN_ZIP in names and all(name.startswith(f"{FOLDER}/") for name in names)
