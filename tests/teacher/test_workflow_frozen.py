"""The workflows are byte for byte what they were when Python code put them together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from teacher.errors import TeacherMisconfigured
from teacher.models import FailureType
from teacher.workflow import (
    Settings,
    build_credentials,
    build_mcp_workflow,
    build_webhook_workflow,
    format_json,
)

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATIONS = {
    "default": Settings(),
    "other model": Settings("claude-haiku-5-5", 2048),
    "one prompt": Settings(prompts={FailureType.WORKFLOW_ERROR: "FOLDER/mine.md"}),
    "all prompts": Settings("a model\n\"'", 1, dict.fromkeys(FailureType, "FOLDER/mine.md")),
    "empty": Settings("", 0, {}),
}
FROZEN = {
    "default": ("2b5bcbff19558187", "c7bb7bf271e8196e"),
    "other model": ("5cafb27ea347624f", "87722879456ca2bf"),
    "one prompt": ("c12b1be3ddfc42fd", "91aadee3fbd3c409"),
    "all prompts": ("207945f454ee1496", "5a9c5cfe9f9efaa4"),
    "empty": ("bee14154efa68137", "2a35ba3d6200cad5"),
}


def digest(value: object) -> str:
    return hashlib.sha256(format_json(value).encode()).hexdigest()[:16]


def build_both(name: str, folder: Path) -> tuple[str, str]:
    (folder / "mine.md").write_text('Look at "the\\queue" of {{ $json }}.\n\n<model>é\n', "utf-8")
    frozen = CONFIGURATIONS[name]
    prompts = frozen.prompts and {
        type_: path.replace("FOLDER", str(folder)) for type_, path in frozen.prompts.items()
    }
    settings = Settings(frozen.model, frozen.max_tokens, prompts)
    return digest(build_webhook_workflow(settings)), digest(build_mcp_workflow(settings))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_workflows_are_as_before(name: str, tmp_path: Path) -> None:
    assert build_both(name, tmp_path) == FROZEN[name]


def test_credentials_are_as_before() -> None:
    assert digest(build_credentials()) == "78b91a351b28b05a"


@pytest.mark.parametrize("build", [build_webhook_workflow, build_mcp_workflow])
def test_a_missing_prompt_is_an_error(build: object, tmp_path: Path) -> None:
    assert callable(build)
    missing = {FailureType.OTHER: str(tmp_path / "missing.md")}
    with pytest.raises(TeacherMisconfigured):
        build(Settings(prompts=missing))
