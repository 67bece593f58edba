"""What a secret looks like: the one table, for every exit.

A shape has words of which one must be there (they spare most texts most patterns), and a pattern
whose groups are the secret; what stands around it says what failed, and stays.
"""

from orchestrator.masking.addresses import ADDRESSES
from orchestrator.masking.commands import COMMANDS
from orchestrator.masking.formats import FORMATS
from orchestrator.masking.settings import SETTINGS

SHAPES = (*FORMATS, *ADDRESSES, *COMMANDS, *SETTINGS)
