"""Read transcripts into sessions.

- `homes`, `files`: where transcripts are, and which files belong to one session.
- `row_reading`, `rows`, `row_recovery`: read lines, decode them, and recover what is broken.
- `deduplication`: counts each row and each answer of the model once, over all files.
- `family_reading`, `building`, `drafts`: build a session from the rows of its files.
- `large_outputs`, `plain_files`: read outputs that stand beside a transcript; open files safely.
- `prompts`, `denials`, `costs`: what a row means.
- `classes`, `own_sessions`: whose session it is.
"""
