"""The rulebook: what was learned, where Claude Code reads it."""

from orchestrator.memory.fake import MemoryRulebook
from orchestrator.memory.rulebook import MarkdownRulebook

__all__ = ["MarkdownRulebook", "MemoryRulebook"]
