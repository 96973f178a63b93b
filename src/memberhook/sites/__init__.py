"""Step 6, apply: where members live. One folder for each kind of site; none knows CRMs, hooks or deliveries."""
