"""5 PLAN: what should change for a member. Pure: no database, no network, no clock, no randomness."""
