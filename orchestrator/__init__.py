"""Runs a coding agent on a repository and makes it learn from what the tests say."""
