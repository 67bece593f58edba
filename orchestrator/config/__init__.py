"""Load the configuration, and record where each value came from.

config.schema         defines the settings and their defaults
config.loading        reads them from file, environment and command line
config.choices        finds settings of a project's own file that the user should know
config.masked_config  removes secrets from a stored configuration, and restores them
"""

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
