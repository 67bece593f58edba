"""The configuration of a run, as its record has it: without secrets.

A value that holds one, such as an address with a password, is not written down; a digest by this
user's key is, so that no other value is taken for it. Whoever carries the run on takes it from the
configuration file that the run was started with, or from the environment, if it is there still.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.config import Config, load_config
from orchestrator.errors import UsageError
from orchestrator.masking import Masker

_WITHHELD: Final = "withheld"
_FILE: Final = "file"
_OPEN: Final = ("redaction", "failure_prompts")
"""Sections that hold no secrets: a pattern of secrets is none."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class ConfigMasker:
    """Keeps configurations without their secrets.

    Args:
        masker: knows what a secret is.
        key: makes the digests.
    """

    masker: Masker
    key: bytes

    def mask_config(self, config: Config, file: Path | None = None) -> str:
        """Return a configuration as text for the record.

        Args:
            config: with its secrets.
            file: the file that the user named for it.
        """
        withheld: dict[str, str] = {}
        values = self._mask_value(config.model_dump(mode="json"), (), withheld)
        return json.dumps({**values, _WITHHELD: withheld, _FILE: str(file or "")})

    def restore_config(self, text: str, project: Path, environment: Mapping[str, str]) -> Config:
        """Return the configuration that a record has.

        Args:
            text: what `mask` gave.
            project: the project's directory, whose file has what was not kept.
            environment: has it otherwise.

        Raises:
            UsageError: a value that was not kept is nowhere, or is another now.
        """
        values = json.loads(text)
        withheld, file = values.pop(_WITHHELD, {}), values.pop(_FILE, "")
        if withheld:
            config = load_config(project, Path(file) if file else None, (), environment).config
            present = config.model_dump(mode="json")
            for name, digest in withheld.items():
                self._restore_value(values, present, tuple(json.loads(name)), digest)
        return Config.model_validate(values)

    def mask_changed_config(self, config: Config, text: str) -> str:
        """Return another configuration of the same run, as text for the record that had `text`."""
        file = json.loads(text).get(_FILE, "")
        return self.mask_config(config, Path(file) if file else None)

    def _mask_value(self, value: Any, key: Key, withheld: dict[str, str]) -> Any:  # noqa: ANN401 -- JSON
        if key[:1] and key[0] in _OPEN:
            return value
        if isinstance(value, dict):
            return {
                name: self._mask_value(each, (*key, name), withheld) for name, each in value.items()
            }
        # By its name, or by the word before it in a command, a secret may be known as one.
        words = value if isinstance(value, list) else [value]
        texts = [each for each in words if isinstance(each, str)]
        said = f"{key[-1] if key else ''}: {' '.join(texts)}"
        masked = self.masker.mask(said)
        if masked == said and all(self.masker.mask(each) == each for each in texts):
            return value
        withheld[json.dumps(key)] = self._hash_value(value)
        return masked

    def _restore_value(self, values: Any, present: Any, key: Key, digest: str) -> None:  # noqa: ANN401
        """Put the present value in the place of one that was not kept."""
        *above, last = key
        for name in above:
            values = values[name]
            present = present.get(name, {}) if isinstance(present, dict) else {}
        found = present.get(last) if isinstance(present, dict) else None
        if not hmac.compare_digest(self._hash_value(found), digest):
            name = ".".join(key)
            variable = f"ORCHESTRATOR_{'_'.join(key)}".upper()
            place = f"set {variable} as before" if len(key) == 2 else "give it as before"
            raise UsageError(
                f"`{name}` held a secret when the run was started, which was not kept, and is "
                "another now",
                f"{place}, and resume again",
            )
        values[last] = found

    def _hash_value(self, value: object) -> str:
        text = json.dumps(value, sort_keys=True)
        return hmac.new(self.key, text.encode("ascii"), hashlib.sha256).hexdigest()
