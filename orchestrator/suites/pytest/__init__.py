"""Everything that is known of pytest: how it is run, steered, selected from, and what it reports.

`plugin/` runs inside the project's pytest and sends records; the rest reads them.
"""
