"""The connector plugin as it comes with this version: one PHP file, and the zip that WordPress takes."""

from __future__ import annotations

import io
import re
from importlib.resources import files
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

FILE = "memberhook-connector.php"
IN_ZIP = f"memberhook-connector/{FILE}"


def source() -> bytes:
    return (files("memberhook.sites.wordpress") / "plugin" / FILE).read_bytes()


def version() -> str:
    """Of the plugin's header."""
    found = re.search(rb"^ \* Version: (\S+)$", source(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{FILE} has no version")
    return found[1].decode()


def zip_name() -> str:
    return f"memberhook-connector-{version()}.zip"


def as_zip() -> bytes:
    """Byte for byte the same wherever it is made: time and rights are set, not taken from the file."""
    packed = io.BytesIO()
    entry = ZipInfo(IN_ZIP)  # of 1980
    entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, 3, 0o100644 << 16
    with ZipFile(packed, "w") as archive:
        archive.writestr(entry, source())
    return packed.getvalue()


def is_ours(content: bytes) -> bool:
    """Whether that is a connector that some version wrote, as PHP or as zip."""
    if content.startswith(b"<?php"):
        return b"Plugin Name: Memberhook Connector" in content[:1000]
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist() == [IN_ZIP]
    except BadZipFile:
        return False
