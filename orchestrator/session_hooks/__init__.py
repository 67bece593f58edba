"""What Claude Code calls on tool uses, and how it is put into settings.json.

`entry` runs on every tool use and imports nothing beyond `os`; `handler` runs when there is
something to write; `settings` and `jsontext` are for `orchestrator hooks install`.
"""
