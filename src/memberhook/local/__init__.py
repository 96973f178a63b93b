"""Names that host projects may import from here. They are defined in `members_area` and `signals`."""
