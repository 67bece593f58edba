"""Say what a tool call did.

- `tool_inputs`: what it was called with.
- `shell`, `commands`, `programs`: a shell command, its parts, and what its programs do.
- `suite_commands`, `suite_outputs`, `suite_runs`: whether it ran tests, and their verdict.
- `causes`, `error_lines`, `code_errors`: why it failed, the same for equal causes.
- `shortening`: cuts texts that are not masked yet.
"""
