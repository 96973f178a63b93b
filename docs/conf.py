"""How Sphinx builds these pages: Markdown, no internet, every warning an error (`make docs`)."""

from __future__ import annotations

from importlib import metadata

project = "Memberhook"
release = metadata.version("memberhook")
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Memberhook {release}"
html_copy_source = False
