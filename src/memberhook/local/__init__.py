"""Public names that host projects import from here; they live in `members_area` and `signals`."""
