"""6 APPLY: where members live, one module per kind of site."""
