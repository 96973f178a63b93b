"""Steps 3 to 8 in parts: claims, retries, planning for a batch, links, follow-ups, health.

May import core, models, crms and sites.
"""
