"""Journals: what remembers the finished steps of a run."""
