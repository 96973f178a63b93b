"""8 JOURNAL: what came, what was planned, what was done, in data and in one sentence."""
