"""Write-ahead entries: which commands destroy, and the note about them in the working buffer.

The hook runs this at tool uses, beside a Claude Code user who waits. So the package stands on the
ground floor, imports nothing of ours, and of Python only what is quick: pathlib, typing and
dataclasses together would cost more than the whole hook does.
"""
