"""The rulebook: what was learned, where Claude Code reads it.

`__init__` imports nothing: whoever logs a learning does not pay for the rulebook.
"""
