"""Kinds of fault from public bug reports of this field, each tried through the command line.

A case is a test function, and its variants are the test's parameters. The names of the cases, what
is right and the variants are a handed corpus's; only the shape is ours.

- `lab`: a project, a scripted model, and the program between them
- `servers`: what a webhook answers, and a relay that notes who pays
- `figures`: which variants are fine
"""
