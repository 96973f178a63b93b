"""The self-hosted service: Memberhook as a Django project of its own. Depends on memberhook, never the reverse."""
