"""Steps 1 and 4: one module or folder for each CRM reads its webhooks and loads its contacts.

May import core and the REST client of sites.wordpress, and no Django.
"""
