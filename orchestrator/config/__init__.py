"""Load the configuration, and record where each value came from.

config.schema         defines the settings and their defaults
config.loading        reads them from file, environment and command line
config.yaml_text      parses YAML of any origin in bounded time
config.choices        decides which settings of a project's own file need the user's trust
config.plain_pytest   recognizes a test command that only runs the tests
config.masked_config  removes secrets from a stored configuration, and restores them
"""

from orchestrator.config.choices import Choice
from orchestrator.config.loading import LoadedConfig, Override, load_config, override_limits
from orchestrator.config.schema import Config

__all__ = [
    "Choice",
    "Config",
    "LoadedConfig",
    "Override",
    "load_config",
    "override_limits",
]
