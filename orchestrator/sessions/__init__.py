"""Read past sessions of Claude Code, and find in them what could be learned.

In the order in which a night passes through them:

- `reading/`: find transcripts, and build a `models.Session` from the rows of its files.
- `calls/`: what a tool call did: its command, its error, the tests that it ran.
- `detectors/`: what went wrong in one session.
- `store/`: the archive of transcripts; which files have changed; what is stored of each session.
- `counting/`: what went wrong in enough sessions, and the numbers for `stats`.
- `views/`: what people see: a session, a search, the report of a review.
- `schedule/`: timers that start a review.
"""
