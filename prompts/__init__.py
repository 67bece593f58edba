"""The system prompts of the teachers.

_shared.md          for every failure
default.md          for failures of the tests
*_error_system.md   for one type of failure each
other_system.md     for all others
_second_look.md     for a rule alone: whether it is only about code
"""
