"""Reads task lists as people write them, and ticks the line of a task that is done."""
