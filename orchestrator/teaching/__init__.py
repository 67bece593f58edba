"""What stands between the loop and the teacher that answers.

    teaching.keeping    what cannot be taught now is kept, and taught later
    teaching.fallback   another teacher, when the first is not there
    teaching.caps       bounds on requests and money, against webhooks that call each other

Each is a teacher round a teacher, so the loop knows none of them.
"""
