"""2 INBOX: every delivery is on disk before its webhook is answered. The database is the truth, the queue a bell."""
