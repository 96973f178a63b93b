"""Steps 5 and 6: one folder for each kind of site finds its members and applies plans.

May import core; only local may import models and Django.
"""
