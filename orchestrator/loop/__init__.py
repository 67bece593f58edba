"""One task, carried to an outcome: the order of things, its steps, how far it goes."""
