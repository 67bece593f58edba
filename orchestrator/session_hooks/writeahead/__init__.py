"""Write-ahead entries: which commands are destructive, and the record of them before they run.

The hook runs this on tool uses while a Claude Code user waits. So these modules import nothing that
is slow: `pathlib`, `typing` and `dataclasses` alone would take longer than the whole hook.

locations: where the workspace, its files and its locks are.
quoting, script, reader, shell: which commands a shell script would start.
options, folders: what the arguments of a command mean, and where it runs.
effort: how much work the analysis of a call may take.
danger, git_commands, program_commands, destructive: which of the commands are destructive.
gitfacts: where the branches of a repository are.
grammar: the texts that are written and read again.
entries: the entry of a tool call.
outcome: what the end of a call says about its command.
buffer: adds entries to the working buffer, and changes their status.
"""
