"""Who is connected with what: CRM accounts, sites, hooks, access keys, and which contact is which member."""
