"""Detectors: each a pure function from a session to what it found there.

A detector reads no file, no clock and no settings, and its result depends on the session alone, so
that it can be stored with the session and counted later, over any window and over all sessions.
`findings` does the counting. `registry` lists them all.
"""
