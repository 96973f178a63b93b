"""The data folder and the secret key in it, made on first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def data_folder(path: Path) -> Path:
    """The folder, absolute, created readable for its owner only."""
    path = path.resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def secret_key(file: Path) -> str:
    """The secret key of the installation (0600). Two processes that start at once end with the same one."""
    if not file.exists():
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
