"""`wordpress`."""

from __future__ import annotations

from pathlib import Path

import click

from memberhook.cli.common import as_json, say
from memberhook.core.errors import UsageError
from memberhook.services.sites import UPLOAD
from memberhook.sites.wordpress import plugin_file


@click.group("wordpress")
def wordpress_command() -> None:
    """Get the connector plugin for WordPress."""


@wordpress_command.command("plugin")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="FILE.zip to upload, or FILE.php for wp-content/mu-plugins.  [default: memberhook-connector-VERSION.zip]",
)
@as_json
def plugin(output: Path | None, as_json: bool) -> None:
    """Write the connector plugin to a file, for installation in WordPress.

    With it members are made and changed many at once, with tags, every field and WordPress's own welcome e-mail, by a
    user who can do nothing else there. As FILE.php it is a single file.

    \b
    Example:
      memberhook wordpress plugin --output memberhook-connector.zip
    """
    file = output or Path(plugin_file.zip_name())
    make = {".zip": plugin_file.as_zip, ".php": plugin_file.source}.get(file.suffix.lower())
    if make is None:
        raise UsageError(f"{file} must end in .zip or .php.", code="bad_output")
    if file.exists() and not (file.is_file() and plugin_file.is_ours(file.read_bytes())):
        raise UsageError(
            f"{file} exists already and is not the connector plugin; choose another name.", code="file_taken"
        )
    file.write_bytes(make())
    if file.suffix.lower() == ".zip":
        todo = f"In WordPress: {UPLOAD}, then activate it."
    else:
        todo = "Copy it to wp-content/mu-plugins of the WordPress, where it is active at once."
    lines = [f"Wrote {file}, connector {plugin_file.version()}.", todo, "Then: memberhook site check NAME"]
    data = {"file": str(file), "version": plugin_file.version()}
    say(data, "\n".join(lines), as_json=as_json)
