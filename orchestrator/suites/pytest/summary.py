"""How pytest sums a session up: `==== 1 failed, 2 passed, 1 warning in 0.12s (0:00:00) ====`."""

import re
from typing import Final

PASSED_COUNT: Final = re.compile(r"(?:^|[\s=,])(\d+) passed\b")
"""The count of what passed."""

COUNTS: Final = re.compile(r"\d+ (?:passed|failed|errors?|skipped)\b")
"""A count of cases by their outcome; other runners say it like this too, in lines of their own."""

LAST_LINE: Final = re.compile(COUNTS.pattern + r".* in \d+\.\d+ ?s")
"""What no other tool says: linters count errors too, but in files."""
