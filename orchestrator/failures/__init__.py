"""Failures: from any source to one `Failure` for the teacher."""
