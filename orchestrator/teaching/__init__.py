"""Turns a failure into a rule, with whatever teacher is configured.

teach     the one road: mask, ask, store the answer, write, report
teachers  teachers made of other teachers: with a name, a fallback, a second look
pending   failures that could not be taught or written yet
"""
