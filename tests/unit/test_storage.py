"""Both kinds of storage keep the same promises; tested on a disk and against an S3 server."""

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from math import inf
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3path import S3Path, configuration_map

from office365_message_trace.errors import Stopped, StorageFailed
from office365_message_trace.storage.base import DAMAGED, LARGEST_BLOB, guarded
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.storage.location import storage_at
from office365_message_trace.storage.s3 import S3Storage
from office365_message_trace.storage.wrappers import RetryingStorage
from tests.support import FaultyStorage, Logbook, TurnedClock


@pytest.fixture(params=["folder", "s3"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, s3_root: Path
) -> FolderStorage | S3Storage:
    root = tmp_path if request.param == "folder" else s3_root / request.node.name
    chosen = storage_at(root / "state")
    assert isinstance(chosen, S3Storage if isinstance(root, S3Path) else FolderStorage)
    return chosen


Either = FolderStorage | S3Storage


def test_what_was_never_written_is_none(storage: Either) -> None:
    assert storage.read("nothing") is None


def test_no_key_begins_with_a_slash_in_the_root_of_a_bucket(s3_root: Path) -> None:
    """Strict servers refuse such keys, and the former module's state has none."""
    storage = storage_at(S3Path(f"/{s3_root.bucket}"))  # type: ignore[attr-defined]
    storage.write("rooted/blob", b"text")
    client = configuration_map.get_configuration(s3_root)[0].meta.client
    listed = client.list_objects_v2(Bucket=s3_root.bucket)  # type: ignore[attr-defined]
    assert "rooted/blob" in {each["Key"] for each in listed["Contents"]}
    assert storage.read("rooted/blob") == b"text"
    assert storage.names("rooted") == ["blob"]
    storage.delete("rooted/blob")


def test_a_write_replaces_the_whole_blob(storage: Either) -> None:
    storage.write("blob", b"a long first text")
    storage.write("blob", b"short")
    assert storage.read("blob") == b"short"


def test_extending_adds_behind_what_is_known(storage: Either) -> None:
    storage.extend("ledger/key/1", b"", b"one")
    storage.extend("ledger/key/1", b"one", b"two")
    assert storage.read("ledger/key/1") == b"onetwo"


def test_extending_overwrites_a_torn_tail(storage: Either) -> None:
    storage.write("ledger/key/1", b"one, and half of ano")
    storage.extend("ledger/key/1", b"one", b"two")
    assert storage.read("ledger/key/1") == b"onetwo"


def test_names_are_those_directly_in_the_folder(storage: Either) -> None:
    storage.write("top", b"")
    for name in ("ledger/key/2", "ledger/key/1"):
        storage.write(name, b"x")
    assert storage.names("ledger") == ["key"]
    assert storage.names("ledger/key") == ["1", "2"]
    assert storage.names("nowhere") == []


def test_deleting_is_final_and_may_be_repeated(storage: Either) -> None:
    storage.write("blob", b"x")
    storage.delete("blob")
    storage.delete("blob")
    assert storage.read("blob") is None


def test_s3_needs_one_request_a_write_and_lists_more_than_one_answer_holds(
    s3_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # the service's are 1000
    chosen = storage_at(s3_root / "many")
    assert isinstance(chosen, S3Storage)
    requests: list[str] = []
    chosen._client.meta.events.register(
        "before-send.s3", lambda request, **_: requests.append(request.method)
    )
    for number in range(25):
        chosen.write(f"ledger/key/{number}", b"x")
    assert requests == ["PUT"] * 25
    assert len(chosen.names("ledger/key")) == 25
    assert requests[25:] == ["GET"] * 3


def test_an_s3_server_that_is_gone_is_a_storage_failure(
    s3_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = storage_at(s3_root / "gone")
    assert isinstance(chosen, S3Storage)

    monkeypatch.setattr(chosen, "_bucket", "no-such-bucket")
    with pytest.raises(StorageFailed, match="own state"):
        chosen.write("blob", b"x")
    with pytest.raises(StorageFailed, match="own state"):
        chosen.names("ledger")


def test_what_is_written_is_on_the_disk_before_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    replace = os.replace

    def synced(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def renamed(*names: Any, **folders: Any) -> None:
        steps.append("name")
        replace(*names, **folders)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    chosen = FolderStorage(tmp_path)
    chosen.write("blob", b"one")
    assert steps == ["file", "name", "folder"]
    chosen.extend("blob", b"one", b"two")
    assert steps[3:] == ["file"]


@pytest.mark.parametrize(
    ("number", "works"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)]
)
def test_a_file_system_that_cannot_sync_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, works: bool
) -> None:
    def synced(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", synced)
    with nullcontext() if works else pytest.raises(StorageFailed):
        FolderStorage(tmp_path).write("blob", b"one")
    assert FolderStorage(tmp_path).read("blob") == b"one"


def test_a_full_disk_is_a_storage_failure_that_leaves_the_old_blob(tmp_path: Path) -> None:
    chosen = FolderStorage(tmp_path)
    chosen.write("blob", b"old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", _disk_full)
        with pytest.raises(StorageFailed, match="not full"):
            chosen.write("blob", b"new")
    assert chosen.read("blob") == b"old"


def _disk_full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_folder_that_is_a_file_is_a_storage_failure(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    chosen = FolderStorage(tmp_path / "state")
    for attempt in (
        lambda: chosen.write("blob", b"x"),
        lambda: chosen.extend("blob", b"", b"x"),
        lambda: chosen.read("blob"),
    ):
        with pytest.raises(StorageFailed):
            attempt()


# Others who can write there


def a_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def a_dangling_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("nothing"))


def a_pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path, outside: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def a_huge_file(path: Path, outside: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST_BLOB + 1)


def a_second_name(path: Path, outside: Path) -> None:
    path.hardlink_to(outside)


Planted = Callable[[Path, Path], None]
NO_PLAIN_FILES: list[Planted] = [a_link, a_dangling_link, a_pipe, a_socket]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A file beside the storage, which must stay as it is."""
    file = tmp_path / "outside"
    file.write_bytes(b"not yours")
    yield file
    assert file.read_bytes() == b"not yours"
    assert not file.with_name("nothing").exists()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("plant", [*NO_PLAIN_FILES, a_huge_file])
def test_what_is_no_plain_file_or_too_large_is_damaged_and_replaced(
    tmp_path: Path, outside: Path, plant: Planted
) -> None:
    chosen = storage_at(tmp_path, "state")
    chosen.write("ledger/key/1", b"")
    plant(tmp_path / "state" / "blob", outside)
    plant(tmp_path / "state" / "blob.new", outside)
    assert chosen.read("blob") == DAMAGED
    assert chosen.sizes("")["blob"] in (0, LARGEST_BLOB + 1)
    chosen.write("blob", b"mine")
    assert chosen.read("blob") == b"mine"
    assert not (tmp_path / "state" / "blob").is_symlink()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("plant", [*NO_PLAIN_FILES, a_second_name])
def test_what_is_no_plain_file_is_not_extended(
    tmp_path: Path, outside: Path, plant: Planted
) -> None:
    chosen = storage_at(tmp_path, "state")
    chosen.write("ledger/key/1", b"")
    for number, known in enumerate((b"", b"known "), 2):
        plant(tmp_path / "state" / "ledger" / "key" / str(number), outside)
        chosen.extend(f"ledger/key/{number}", known, b"added")
        assert chosen.read(f"ledger/key/{number}") == known + b"added"


def test_a_folder_in_the_place_of_a_file_is_damaged_and_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "blob").mkdir()
    chosen = storage_at(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(10):
        assert chosen.read("blob") == DAMAGED
        with pytest.raises(StorageFailed):
            chosen.write("blob", b"x")
    assert len(os.listdir("/proc/self/fd")) == before, "nothing stays open"  # noqa: PTH208


@pytest.mark.parametrize("linked", ["state", "state/ledger", "state/ledger/key"])
def test_no_link_to_a_folder_is_followed(tmp_path: Path, linked: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / linked).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / linked).symlink_to(elsewhere)
    chosen = storage_at(tmp_path, "state")
    for attempt in (
        lambda: chosen.write("ledger/key/1", b"x"),
        lambda: chosen.extend("ledger/key/1", b"", b"x"),
        lambda: chosen.read("ledger/key/1"),
        lambda: chosen.delete("ledger/key/1"),
    ):
        with pytest.raises(StorageFailed, match=r"\[1: "):
            attempt()
    assert chosen.names("ledger/key") == []
    assert list(elsewhere.iterdir()) == []


def test_the_folder_that_the_platform_names_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "volume")
    storage_at(tmp_path / "data", "state").write("blob", b"x")
    assert (tmp_path / "volume" / "state" / "blob").read_bytes() == b"x"


def test_an_object_that_is_too_large_is_damaged_and_not_fetched(s3_root: Path) -> None:
    chosen = storage_at(s3_root, "large")
    chosen.write("blob", bytes(LARGEST_BLOB + 1))
    assert chosen.read("blob") == DAMAGED
    chosen.write("blob", bytes(LARGEST_BLOB))
    assert chosen.read("blob") == bytes(LARGEST_BLOB)


def test_an_error_code_of_an_s3_server_is_foreign_text() -> None:
    def fail() -> None:
        raise ClientError({"Error": {"Code": "x\n\x1b[2J", "Message": "secret"}}, "GetObject")

    with pytest.raises(StorageFailed) as caught:
        guarded("read", "blob", fail)
    assert caught.value.detail == "blob: ClientError"


def test_failures_are_said_once_a_minute_and_waited_out(tmp_path: Path) -> None:
    clock, log = TurnedClock(), Logbook()
    RetryingStorage(FaultyStorage(FolderStorage(tmp_path), 8), clock, log).write("blob", b"x")
    assert (tmp_path / "blob").read_bytes() == b"x"
    assert clock.waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert log.texts("error") == ["The storage fails."] * 3
    assert log.texts("info") == ["The trigger's storage works again."]


def test_a_storage_that_fails_at_each_access_is_named_once_a_minute(tmp_path: Path) -> None:
    clock, log = TurnedClock(), Logbook()
    faulty = FaultyStorage(FolderStorage(tmp_path))
    patient = RetryingStorage(faulty, clock, log)
    for _ in range(120):
        faulty.failures = 1
        patient.write("blob", b"x")
    assert sum(clock.waits) == 120
    assert log.texts("error") == ["The storage fails."] * 2
    assert log.texts("info") == ["The trigger's storage works again."] * 2


def test_a_stop_ends_the_wait_for_the_storage(tmp_path: Path) -> None:
    patient = RetryingStorage(
        FaultyStorage(FolderStorage(tmp_path), inf), TurnedClock(stop_after=100), Logbook()
    )
    with pytest.raises(Stopped):
        patient.write("blob", b"x")
