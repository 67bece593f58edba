"""The hook that Claude Code calls on tool uses, and its entries in settings.json.

jsontext: edits JSON without touching the rest of the text.
settings: adds our hooks to settings.json, and removes them.
entry: is run on every event; most events end here, after importing little more than `os`.
handler: records an event: a destructive command, its end, a failed call.
writeahead: finds destructive commands, and writes the entries about them.
"""
