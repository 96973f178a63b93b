"""Contacts, members, plans and outcomes as plain data and pure functions, and the HTTP client.

May import nothing else of Memberhook, and no Django.
"""
