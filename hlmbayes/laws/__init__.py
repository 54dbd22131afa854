"""What level 1 is: `law` (what every law answers), `normal`, `log_linear`; `counting` of rows and units.

A new law is a new file: a subclass of `law.Law` that answers what differs.
"""
