"""The repository of a worker for the lanes of a list: its own objects, none of the user's.

<state>/workers/<slot>/<list>/repository.git   what the lanes of this worker share
<state>/workers/<slot>/<list>/lanes.git        what agents in these lanes see
<state>/workers/<slot>/<list>/source/          stands for the user's repository; it is empty
<state>/workers/<slot>/<list>/lanes/           as those of a list on the user's machine
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.masking import mask_text
from orchestrator.platform import atomic, files
from orchestrator.platform.locking import FileLock
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.tasks.fleet.jobs import build_base_ref, build_ref
from orchestrator.tasks.fleet.models import JobRecord
from orchestrator.workspace.git import Git, build_write_error
from orchestrator.workspace.lane_base import WITHHELD, create_bare
from orchestrator.workspace.lanes import LaneRepository
from orchestrator.workspace.repository import find_repository

_SHA256_LENGTH: Final = 64


def fetch_job(folder: Path, record: JobRecord) -> LaneRepository:
    """Return the repository of a job's list, with the commit that the job starts from.

    Args:
        folder: the folder of the list, in that of the worker.
        record: the job.

    Raises:
        InfrastructureError: the repository of the queue cannot be reached, or has no such commit.
    """
    job = record.job
    repository = _open_repository(folder, job.order.base, job.prefix)
    if not repository.resolve(f"{job.order.base}^{{commit}}"):
        ref = build_base_ref(job.id)
        _exchange(record, lambda: repository.fetch(job.repository, [f"+{ref}:{ref}"]))
    if not repository.resolve(f"{job.order.base}^{{commit}}"):
        raise InfrastructureError(
            f"{_show(record)} has not the commit {job.order.base[:12]} of job {job.id}",
            "resume the list, which sends it again",
        )
    return repository


def push_result(repository: LaneRepository, record: JobRecord, commits: dict[str, str]) -> None:
    """Send the commits of a job, by the names `work` and `learned`, as refs with its token.

    Raises:
        InfrastructureError: the repository of the queue cannot be reached.
    """
    specs = [
        f"{commit}:{build_ref(record.id, record.token, name)}"
        for name, commit in commits.items()
        if commit
    ]
    if specs:
        _exchange(record, lambda: repository.push(record.job.repository, specs))


def _exchange(record: JobRecord, action: Callable[[], None]) -> None:
    try:
        action()
    except InfrastructureError as error:
        raise InfrastructureError(
            f"code of job {record.id} cannot be exchanged with {_show(record)}: "
            f"{mask_text(error.message)}",
            "queue.repository must be a repository that each worker can read and write",
        ) from error


def _show(record: JobRecord) -> str:
    return mask_text(record.job.repository)


def _open_repository(folder: Path, base: str, prefix: str) -> LaneRepository:
    source, bare = folder / "source", folder / "repository.git"
    try:
        make_private_folder(folder)
        with FileLock(folder / "source.lock"):
            if not bare.is_dir():
                _create_repository(source, bare, base)
    except OSError as error:
        raise build_write_error(error, folder) from error
    user = find_repository(source)
    if user is None:
        raise LoopError(f"{source} is damaged", f"remove {folder}")
    return LaneRepository(source, replace(user, prefix=os.fsencode(prefix)), bare)


def _create_repository(source: Path, bare: Path, base: str) -> None:
    form = "sha256" if len(base) == _SHA256_LENGTH else "sha1"
    draft = bare.with_name(f"{bare.name}.draft")
    files.remove_path(draft)
    files.remove_path(source)
    make_private_folder(source)
    init = ("init", "--quiet", "--template=", "--initial-branch=lanes")
    Git(source).run(*init, f"--object-format={form}")
    create_bare(draft, form)
    (draft / WITHHELD).touch()
    atomic.move_path(draft, bare)
