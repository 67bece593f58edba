"""Print the preview of a run: for people, and as JSON."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import iter_wrapped_lines
from orchestrator.cli.plan_lines import iter_plan_parts
from orchestrator.cli.values import sanitize_text
from orchestrator.masking import mask_text

if TYPE_CHECKING:
    from orchestrator.services.dry_run import RunPreview


def iter_preview_lines(preview: "RunPreview") -> Iterator[str]:
    """Yield the lines of a preview."""
    yield "Dry run: no agent and no test is started; nothing is spent or written."
    if preview.detected:
        text = ""
        if preview.is_tried:
            text = "; a run tries it first, and adds the folder of the code if it is not installed"
        yield from iter_wrapped_lines(f"{'Detected':<9}", sanitize_text(preview.detected) + text)
    for label, text in iter_plan_parts(preview.plan):
        yield from iter_wrapped_lines(f"{label:<9}", sanitize_text(text))
    count = len(preview.rules)
    yield f"rules    {count} active" + (f": {', '.join(preview.rules)}" if count else "")
    yield "prompt   of the first attempt:"
    for line in sanitize_text(preview.prompt).splitlines():
        yield from iter_wrapped_lines("    ", line)
    if preview.guarded:
        yield "guarded  by name; a run adds the files that its suite reads:"
    for path, why in preview.guarded:
        yield from iter_wrapped_lines("    ", sanitize_text(f"{path}: {why}"))


def serialize_preview(preview: "RunPreview") -> dict[str, Any]:
    """Return a preview as data for JSON."""
    return {
        "project": str(preview.project),
        "detected": preview.detected,
        **vars(preview.plan),
        "guarded": [{"path": path, "why": why} for path, why in preview.guarded],
        "rules": list(preview.rules),
        "prompt": preview.prompt,
        "problem": preview.problem and mask_text(str(preview.problem)),
    }
