"""Log-in, account and password pages for members of the local site, and guards for views of a host project.

May import core, models and sites.local.
"""
