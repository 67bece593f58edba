"""Programs that set the project up and try it: other Pythons, other versions, other machines."""
