"""Speed, measured: never asserted in a test, always quoted as a ratio to something run beside it."""
