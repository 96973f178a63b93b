"""3 IDENTIFY and 4 LOAD the contact: one module per CRM, facts and mappings only."""
