"""The site `local`: members are Django users, roles are groups; log-in and account pages, guards for host projects."""
