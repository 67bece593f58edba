"""Recognise pytest's last line: `==== 1 failed, 2 passed, 1 warning in 0.12s (0:00:00) ====`."""

import re
from typing import Final

PASSED_COUNT: Final = re.compile(r"(?:^|[\s=,])(\d+) passed\b")
"""The number of passed cases."""

COUNTS: Final = re.compile(r"\d+ (?:passed|failed|errors?|skipped)\b")
"""A number of cases with their outcome; other runners print it in this form too."""

LAST_LINE: Final = re.compile(COUNTS.pattern + r".* in \d+\.\d+ ?s")
"""The whole line, which no other tool prints: linters count errors too, but "in N files"."""
