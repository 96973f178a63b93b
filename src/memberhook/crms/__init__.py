"""Steps 3 and 4, identify and load: one module or folder for each CRM. None knows sites, hooks or deliveries."""
