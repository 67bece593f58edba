"""Files, locks and processes, as this system has them; knows nothing of the product."""
