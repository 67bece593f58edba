"""The configuration: what can be set, and where each value came from."""

from orchestrator.config.choices import TEACHING_PREFIXES
from orchestrator.config.loading import LoadedConfig, Override, load_config, override_limits
from orchestrator.config.schema import Config

__all__ = [
    "TEACHING_PREFIXES",
    "Config",
    "LoadedConfig",
    "Override",
    "load_config",
    "override_limits",
]
