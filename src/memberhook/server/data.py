"""The data folder and the files in it, created at the first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from memberhook import conf


def make_folder(path: Path) -> None:
    """Create the data folder, accessible to its owner only."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def secret_key(file: Path) -> str:
    """Read the secret key, or create it (mode 0600). Two processes that start at once get the same one."""
    if not file.exists():
        make_folder(file.parent)
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(fresh, file)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return file.read_text().strip()


def public_url(folder: Path) -> str:
    """The public address, without a slash at the end: as set, or where `serve` was last started, or the default."""
    address = folder / "address"
    served = address.read_text().strip() if address.exists() and conf.PUBLIC_URL.variable not in os.environ else ""
    return (served or conf.PUBLIC_URL()).rstrip("/")
