"""Reads task lists as people write them, and ticks the line of a task that is done.

- listing: reads a list in whatever form; start there
- markdown, boxes, lines, spec_kit: Markdown checkboxes; the grammar is in the docstring of markdown
- prd, json_spans: the form of snarktank's Ralph
- folder, front_matter: a file for each task
- github: issues
- attributes, mark_values: what is written about a task beside what is to be done
- item_text, source_file: texts and files from outside, made safe and bounded
- graph: cycles, unknown dependencies, duplicates
- ticking: the edit of one line
- proposals: what an agent added to its copy
"""

from orchestrator.tasks.reading.graph import check_items
from orchestrator.tasks.reading.listing import build_text_list, list_paths, read_list
from orchestrator.tasks.reading.proposals import find_proposals
from orchestrator.tasks.reading.ticking import TickResult, tick_item

__all__ = (
    "TickResult",
    "build_text_list",
    "check_items",
    "find_proposals",
    "list_paths",
    "read_list",
    "tick_item",
)
