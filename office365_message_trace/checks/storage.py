"""Checks that the storage works and outlives the container, and the trigger's state in it."""

import os
import tempfile
from datetime import datetime
from pathlib import Path

from office365_message_trace.checks.findings import Finding, failure, kind_of, ok, warning
from office365_message_trace.collect.checkpoint_store import CheckpointStore
from office365_message_trace.collect.coverage import Policy
from office365_message_trace.errors import MessageTraceError, StorageFailed
from office365_message_trace.formatting import late_sentence, moment, span
from office365_message_trace.model import EPOCH
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.storage.location import storage_at

_PROBE = "check.probe"
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")  # of Docker and of Podman


def storage_findings(data_path: Path, folder: str, policy: Policy, now: datetime) -> list[Finding]:
    """The findings of a probe that is written, read back and removed, and those on the state."""
    storage = storage_at(data_path, folder)
    local = isinstance(storage, FolderStorage)
    if local and not data_path.exists():
        text = f"there is no folder {data_path} yet: no trigger has run here"
        return [ok("storage", f"{text}. In a container, mount a volume there.")]
    try:
        _try_out(storage, now)
        usable = _lasting(data_path) if local else ok("storage", f"{data_path} can be written")
    except StorageFailed as problem:
        usable = failure("storage", kind_of(problem), str(problem))
    return [usable, *state_findings(storage, policy, now)]


def state_findings(storage: Storage, policy: Policy, now: datetime) -> list[Finding]:
    """Findings on the state in ``storage``; one is a warning if mail is read later at ``now`` than a working
    trigger with this ``policy`` reads it."""
    logged: list[str] = []
    try:
        coverage = CheckpointStore(storage, lambda text, _level: logged.append(text)).load()
    except MessageTraceError as problem:
        return [failure("state", kind_of(problem), str(problem))]
    warnings = [warning("state", "damaged", text) for text in logged]
    if coverage is None and logged:
        text = "No copy of the state is usable; the trigger reads its look-back again."
        return [*warnings, warning("state", "lost", text)]
    if coverage is None:
        return [ok("state", "none yet: the trigger has not run here")]
    age = now - coverage.live
    if coverage.read_at == EPOCH:
        text = "the trigger has read nothing yet; if it was not just started, see in its log what it waits for."
        return [*warnings, warning("state", "late", text)]
    text = f"mail is read up to {moment(coverage.live)}, {span(age)} ago"
    if age > policy.usual_lag:
        text = f"{text}; {late_sentence(policy.usual_lag)}"
        return [*warnings, warning("state", "late", text)]
    return [*warnings, ok("state", text)]


def _try_out(storage: Storage, now: datetime) -> None:
    probe = now.isoformat().encode()
    storage.write(_PROBE, probe)
    found = storage.read(_PROBE)
    storage.delete(_PROBE)
    if found != probe:
        raise StorageFailed(
            "Cannot read back from the trigger's own state what was just written to it. Check that "
            "nothing else writes there."
        )


def _lasting(data_path: Path) -> Finding:
    if goes_with_container(data_path):
        return warning(
            "storage",
            "no-volume",
            f"{data_path} can be written, but no volume is mounted there: what the trigger has read "
            f"is forgotten with the container. Add a volume, such as docker run -v trace:{data_path}",
        )
    return ok("storage", f"{data_path} can be written")


def goes_with_container(
    folder: Path, root: Path = Path("/"), marks: tuple[str, ...] = _CONTAINER_MARKS
) -> bool:
    """True if ``folder`` is part of a container's own layer; False for temporary folders, which need not
    last."""
    if not any(Path(mark).exists() for mark in marks):
        return False
    trial = Path(os.path.realpath(tempfile.gettempdir()))
    return folder.stat().st_dev == root.stat().st_dev and trial not in folder.resolve().parents
