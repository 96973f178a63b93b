"""The self-hosted service: Memberhook as a Django project of its own.

May import everything. Only cli imports it, and only in the commands that run the service.
"""
