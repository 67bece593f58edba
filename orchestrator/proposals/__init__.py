"""Keep the changes that wait for a person, whatever their source: one queue.

- `models`: what a proposal is.
- `records`: stores and finds proposals; a rejected one never comes back.
- `skills`, `skill_files`: draft a SKILL.md, and write or remove it.
- `permission_safety`, `permission_rules`: which commands may ever be allowed without a question,
  and which ones a rule covers.
- `permissions`: changes the list of permissions in settings.local.json.
- `checks`: drafts a check for a rule that is broken again.
- `states`: derives where a proposal stands from the files and the rulebook, which decide.
- `queue`: proposals and pending rules as one list, each once.
- `changes`: the exact diff of a proposal.
- `decisions`: accepts, edits and rejects.
- `project_files`: read and replace files of the project that Claude Code loads.
"""
