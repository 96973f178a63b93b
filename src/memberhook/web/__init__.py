"""Names that host projects may import from here. They are defined in `intake`."""
