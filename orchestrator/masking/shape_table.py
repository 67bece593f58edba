"""What a secret looks like: the one table, for every exit.

A shape has words of which one must be there (they spare most texts most patterns), and a pattern
whose groups are the secret; what stands around it says what failed, and stays.
"""

from orchestrator.masking.address_shapes import ADDRESSES
from orchestrator.masking.command_shapes import COMMANDS
from orchestrator.masking.setting_shapes import SETTINGS
from orchestrator.masking.token_shapes import FORMATS

SHAPES = (*FORMATS, *ADDRESSES, *COMMANDS, *SETTINGS)
