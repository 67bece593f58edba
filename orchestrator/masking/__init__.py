"""Masks secrets in everything that leaves this machine or is stored, by one table of shapes.

masker              finds secrets in a text and replaces them
shape_table         all shapes (shape) by which secrets are recognized:
token_shapes          the formats of tokens and keys
address_shapes        passwords in addresses, headers and cookies
command_shapes        secrets on command lines
setting_shapes        values of settings whose name says that they are secret
name_patterns         ... parts of patterns for such names (lazy_pattern: compiled on first use)
value_checks          ... checks that reject placeholders, code and prose
user_pattern        the project's own patterns, with a time limit
environment_secrets values of environment variables
known_secrets       finds values that are known, also divided ones
text_views          ... reads a text without what divides or escapes it
secret_forms        ... in which forms, and which values are replaced without their name
process_output      masks what this process itself prints or writes
visible_text        shows text from outside so that nothing in it acts, hides or forges

Nothing here is heavy: the hook that Claude Code calls before each command imports it, and a pattern
is compiled when a text first contains one of its hints.
"""

from orchestrator.masking.masker import REDACTED, Masker
from orchestrator.masking.process_output import mask_line, mask_text

__all__ = ["REDACTED", "Masker", "mask_line", "mask_text"]
