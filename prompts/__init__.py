"""The texts that teachers are prompted with, one file for each type of failure."""
