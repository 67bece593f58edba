"""Remove the secrets from the configuration of a run before it is stored, and restore them.

A value that contains a secret, such as an address with a password, is not stored. A digest with
this user's key is, to recognize the value. The process that resumes the run takes it from the
configuration file that the run was started with, or from the environment.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.config import Config, load_config
from orchestrator.config.addresses import hide_address_secrets
from orchestrator.config.loading import find_environment_origins
from orchestrator.config.value_errors import iter_leaves
from orchestrator.errors import UsageError
from orchestrator.masking import Masker

_WITHHELD: Final = "withheld"
_FILE: Final = "file"
_TRUSTED: Final = "trusted"
_GIVEN: Final = "given"
_OPEN: Final = ("redaction", "failure_prompts")
"""Sections without secrets: a pattern that matches secrets is not one."""

Key = tuple[str, ...]


def read_section(text: str, name: str) -> dict[str, Any]:
    """Return a section of a configuration, as `mask_config` stored it; empty if it is missing."""
    section: dict[str, Any] = json.loads(text).get(name, {})
    return section


def read_file(text: str) -> Path | None:
    """Return the configuration file that the user named, as `mask_config` stored it."""
    file = json.loads(text).get(_FILE, "")
    return Path(file) if file else None


def read_trusted(text: str) -> dict[str, str]:
    """Return the digests of the trusted values of a configuration, as `mask_config` stored it."""
    trusted: dict[str, str] = json.loads(text).get(_TRUSTED, {})
    return trusted


def read_given(text: str) -> frozenset[str]:
    """Return the keys that were set on the command line, as `mask_config` stored them."""
    return frozenset(json.loads(text).get(_GIVEN, ()))


def find_run_origins(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the origins of a stored run's settings, without those of the project's own file."""
    named = json.loads(text).get(_FILE, "")
    from_file = {key: str(named) for key, _ in iter_leaves(Config())} if named else {}
    from_command_line = dict.fromkeys(read_given(text), "command line")
    return {**from_file, **find_environment_origins(environment), **from_command_line}


def replace_trusted(text: str, prefix: str, digests: Mapping[str, str]) -> str:
    """Return a stored configuration with other digests of the trusted values under a prefix."""
    others = {key: each for key, each in read_trusted(text).items() if not key.startswith(prefix)}
    return json.dumps({**json.loads(text), _TRUSTED: {**others, **digests}})


def _split_stored(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a stored configuration, and the digests of those that are withheld."""
    values = json.loads(text)
    withheld = values.pop(_WITHHELD, {})
    for name in (_FILE, _TRUSTED, _GIVEN):
        values.pop(name, None)
    return values, withheld


@dataclass(frozen=True)
class ConfigMasker:
    """Masks configurations, and restores them.

    Args:
        masker: recognizes secrets.
        key: the key of the digests.
    """

    masker: Masker
    key: bytes

    def mask_config(
        self,
        config: Config,
        file: Path | None = None,
        trusted: Mapping[str, str] | None = None,
        given: Iterable[str] = (),
    ) -> str:
        """Return a configuration as JSON without its secrets.

        Args:
            config: the configuration with its secrets.
            file: the configuration file that the user named.
            trusted: digests of the values that are used because the user has trusted them, by key.
            given: the keys that are set on the command line.
        """
        withheld: dict[str, str] = {}
        values = self._mask_value(config.model_dump(mode="json"), (), withheld)
        stored = {_WITHHELD: withheld, _FILE: str(file or ""), _TRUSTED: dict(trusted or {})}
        return json.dumps(values | stored | {_GIVEN: sorted(given)})

    def restore_config(self, text: str, project: Path, environment: Mapping[str, str]) -> Config:
        """Return a configuration with its secrets.

        Args:
            text: the result of `mask_config`.
            project: the project's directory, whose configuration file may have the secrets.
            environment: the environment, which may have them otherwise.

        Raises:
            UsageError: a secret is missing, or has changed.
        """
        values, withheld = _split_stored(text)
        if withheld:
            # Trusted: only the values that the run was started with are taken.
            loaded = load_config(project, read_file(text), (), environment, lambda _choice: True)
            present = loaded.config.model_dump(mode="json")
            for name, digest in withheld.items():
                self._restore_value(values, present, tuple(json.loads(name)), digest)
        return Config.model_validate(values)

    def adopt_config(self, text: str, folder: Path, environment: Mapping[str, str]) -> Config:
        """Return a configuration of another machine, with the secrets of this one.

        The digests are no help: they were made with the other machine's key.

        Args:
            text: the result of `mask_config` there.
            folder: a folder without a configuration file.
            environment: the environment, which must have each value that was not stored.

        Raises:
            UsageError: it lacks one.
        """
        values, withheld = _split_stored(text)
        if withheld:
            own = load_config(folder, None, (), environment)
            present = own.config.model_dump(mode="json")
            for key in (tuple(json.loads(name)) for name in withheld):
                if ".".join(key) not in own.origins:
                    raise UsageError(
                        f"`{'.'.join(key)}` contains a secret, which does not travel with a job, "
                        "and this worker has none",
                        f"set ORCHESTRATOR_{'_'.join(key).upper()} where the worker is started",
                    )
                values[key[0]][key[1]] = present[key[0]][key[1]]
        return Config.model_validate(values)

    def mask_changed_config(self, config: Config, text: str) -> str:
        """Return a changed configuration of the run that was stored with `text`, masked too."""
        return self.mask_config(config, read_file(text), read_trusted(text), read_given(text))

    def _mask_value(self, value: Any, key: Key, withheld: dict[str, str]) -> Any:  # noqa: ANN401 -- JSON
        if key[:1] and key[0] in _OPEN:
            return value
        if (shown := hide_address_secrets(".".join(key), value)) != value:
            withheld[json.dumps(key)] = self._hash_value(value)
            return shown
        if isinstance(value, dict):
            return {
                name: self._mask_value(each, (*key, name), withheld) for name, each in value.items()
            }
        # Masked together with its name, and in a command with the word before it, because these
        # can show that a value is secret: `--password x`.
        values = value if isinstance(value, list) else [value]
        texts = [each for each in values if isinstance(each, str)]
        line = f"{key[-1] if key else ''}: {' '.join(texts)}"
        masked = self.masker.mask(line)
        if masked == line and all(self.masker.mask(each) == each for each in texts):
            return value
        withheld[json.dumps(key)] = self._hash_value(value)
        return masked

    def _restore_value(self, values: Any, present: Any, key: Key, digest: str) -> None:  # noqa: ANN401
        """Set a value that was not stored to the present one, if that has the same digest."""
        *above, last = key
        for name in above:
            values = values[name]
            present = present.get(name, {}) if isinstance(present, dict) else {}
        found = present.get(last) if isinstance(present, dict) else None
        if not hmac.compare_digest(self._hash_value(found), digest):
            name = ".".join(key)
            variable = f"ORCHESTRATOR_{'_'.join(key)}".upper()
            hint = f"set {variable} as before" if len(key) == 2 else "set it as before"
            raise UsageError(
                f"`{name}` contained a secret when the run was started, which was not stored, and "
                "it is different now",
                f"{hint}, and resume again",
            )
        values[last] = found

    def _hash_value(self, value: object) -> str:
        text = json.dumps(value, sort_keys=True)
        return hmac.new(self.key, text.encode("ascii"), hashlib.sha256).hexdigest()
