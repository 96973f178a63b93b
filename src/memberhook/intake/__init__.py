"""Steps 1 and 2: check a webhook, store it, answer it.

May import core, models, crms, engine and the pipeline (for dry runs).
"""
