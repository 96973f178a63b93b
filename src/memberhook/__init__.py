"""Memberhook: a webhook comes in from a CRM, a member is made or changed on a site.

Open `pipeline.py` first: it is the whole way in one file.
"""

__version__ = "0.1.0"
