"""Show sessions to people.

- `retrieval`, `transcript_values`: open a session, also from the archive, and print it.
- `searching`: search in all sessions.
- `report`: the report of a review.
"""
