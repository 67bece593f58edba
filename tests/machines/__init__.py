"""Programs, not tests: they try the project on other Pythons, versions and machines."""
