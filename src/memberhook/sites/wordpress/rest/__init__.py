"""A client for WordPress's REST API. CRMs that are WordPress plugins (FluentCRM) share it with the site `wordpress`."""
