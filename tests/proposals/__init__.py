"""Tests of the queue of proposals."""
