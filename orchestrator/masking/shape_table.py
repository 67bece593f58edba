"""The table of all shapes by which secrets are recognized, used for every output.

A shape has hints, one of which must be in the text (they save most patterns for most texts), and a
pattern whose groups are the secret. The text around the groups is retained: it says what failed.
"""

from orchestrator.masking.address_shapes import ADDRESSES
from orchestrator.masking.command_shapes import COMMANDS
from orchestrator.masking.setting_shapes import SETTINGS
from orchestrator.masking.token_shapes import FORMATS

SHAPES = (*FORMATS, *ADDRESSES, *COMMANDS, *SETTINGS)
