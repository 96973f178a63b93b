"""Public names that host projects import from here; they live in `intake`."""
