"""Turns a failure into a rule, with whatever teacher is configured.

teach     the one road: mask, ask, store the answer, write, report
teachers  teachers made of other teachers: one with a name, and a fallback
pending   failures that could not be taught or written yet
"""
