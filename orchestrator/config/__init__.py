"""The configuration: what can be set, and where each value came from."""

from orchestrator.config.choices import OF_TEACHING
from orchestrator.config.loading import Loaded, Override, load, with_new_limits
from orchestrator.config.schema import Config

__all__ = ["OF_TEACHING", "Config", "Loaded", "Override", "load", "with_new_limits"]
