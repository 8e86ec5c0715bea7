"""Each tenant has a state of its own, and what changed since last time is reported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from office365_message_trace.collect.tenant_folders import (
    INTAKE_CHANGED,
    TENANT_CHANGED,
    TENANT_RENAMED,
    TENANT_RETURNED,
    Identity,
    Place,
    current_folder,
    find_place,
)
from office365_message_trace.settings import BasicSettings, GraphSettings, OAuthSettings, parse
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.wiring import place_of

BASE = "message_trace"
RECORD = f"{BASE}/identity.json"
CONTOSO = "0bbccd15-3f8e-4c04-b425-094646be5e38"
FABRIKAM = "e786678a-a032-4342-bb62-9a6dab678cee"


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path)


def start(storage: Storage, tenant: str, key: str = "key") -> Place:
    """Where a trigger of that tenant finds its state when it starts, which it notes."""
    place = find_place(storage, BASE, Identity(tenant, key))
    place.save(storage)
    assert current_folder(storage, BASE) == place.folder
    return place


def told(place: Place) -> tuple[str, tuple[str, ...]]:
    return place.folder, place.news


def test_the_first_tenant_has_the_folder_that_every_trigger_has(storage: Storage) -> None:
    assert current_folder(storage, BASE) == BASE
    assert told(start(storage, CONTOSO)) == (BASE, ())
    assert told(start(storage, CONTOSO)) == (BASE, ())


@pytest.mark.parametrize("spelled", [CONTOSO.upper(), f" {CONTOSO} "])
def test_a_tenant_is_the_same_however_it_is_spelled(spelled: str, storage: Storage) -> None:
    start(storage, CONTOSO)
    assert told(start(storage, spelled)) == (BASE, ())


def test_another_tenant_has_a_folder_of_its_own_and_that_is_reported_once(storage: Storage) -> None:
    start(storage, CONTOSO)
    place = start(storage, FABRIKAM)
    assert place.folder.startswith(f"{BASE}-")
    assert len(place.folder) == len(BASE) + 1 + 16
    assert place.news == (TENANT_CHANGED,)
    assert told(start(storage, FABRIKAM)) == (place.folder, ())


def test_a_tenant_that_comes_back_finds_its_folder_again(storage: Storage) -> None:
    start(storage, CONTOSO)
    folder = start(storage, FABRIKAM).folder
    for _ in range(2):
        assert told(start(storage, CONTOSO)) == (BASE, (TENANT_RETURNED,))
        assert told(start(storage, FABRIKAM)) == (folder, (TENANT_RETURNED,))


def test_looking_changes_nothing(storage: Storage) -> None:
    start(storage, CONTOSO)
    before = storage.read(RECORD)
    assert find_place(storage, BASE, Identity(FABRIKAM, "key")).folder != BASE
    assert storage.read(RECORD) == before
    assert current_folder(storage, BASE) == BASE


def test_looking_twice_finds_the_same_folder(storage: Storage) -> None:
    start(storage, CONTOSO)
    looked = find_place(storage, BASE, Identity(FABRIKAM, "key"))
    assert looked.folder == start(storage, FABRIKAM).folder


def test_another_intake_keeps_the_state_and_is_reported_once(storage: Storage) -> None:
    start(storage, CONTOSO, "one")
    assert told(start(storage, CONTOSO, "two")) == (BASE, (INTAKE_CHANGED,))
    assert told(start(storage, CONTOSO, "two")) == (BASE, ())


def test_what_is_said_of_another_intake_is_true_when_a_wrong_key_is_corrected(
    storage: Storage,
) -> None:
    """Then the key of before has accepted nothing, and everything went to the one that is entered."""
    start(storage, CONTOSO, "right")
    start(storage, CONTOSO, "mistyped")
    (news,) = start(storage, CONTOSO, "right").news
    assert "former intake" not in news
    assert "under whatever key" in news


def test_an_intake_is_compared_with_the_last_one_of_the_same_tenant(storage: Storage) -> None:
    start(storage, CONTOSO, "one")
    assert start(storage, FABRIKAM, "two").news == (TENANT_CHANGED,)
    assert start(storage, CONTOSO, "two").news == (TENANT_RETURNED, INTAKE_CHANGED)
    assert start(storage, CONTOSO, "two").news == ()


def test_a_domain_in_place_of_an_id_is_taken_for_the_same_tenant_and_both_are_known(
    storage: Storage,
) -> None:
    start(storage, CONTOSO)
    assert told(start(storage, "contoso.example")) == (BASE, (TENANT_RENAMED,))
    assert told(start(storage, CONTOSO)) == (BASE, ())
    assert told(start(storage, "Contoso.example")) == (BASE, ())
    assert start(storage, "fabrikam.example").news == (TENANT_CHANGED,)


def test_a_domain_in_place_of_an_id_is_the_current_tenant_s_not_the_first_one_s(
    storage: Storage,
) -> None:
    start(storage, CONTOSO)
    folder = start(storage, FABRIKAM).folder
    assert told(start(storage, "fabrikam.example")) == (folder, (TENANT_RENAMED,))
    assert told(start(storage, CONTOSO)) == (BASE, (TENANT_RETURNED,))
    assert told(start(storage, "fabrikam.example")) == (folder, (TENANT_RETURNED,))


def record(key: str, current: str, folder: str) -> bytes:
    return (
        f'{{"key": "{key}", "current": "{current}", "tenants": '
        f'{{"{folder}": {{"names": {{"id": "x"}}, "intake": "y"}}}}}}'
    ).encode()


def nested(value: bytes, levels: int) -> bytes:
    """A record with lists in lists in place of ``value``: as many as orjson reads, but Python cannot write."""
    return record("00" * 16, BASE, BASE).replace(value, b"[" * levels + b"]" * levels)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"{}",
        b'{"key": 1, "current": "message_trace", "tenants": []}',
        record("zz", BASE, BASE),
        record("00", BASE, BASE),
        record("00" * 16, "../elsewhere", "../elsewhere"),
        record("00" * 16, BASE, "message_trace-0"),
        record("00" * 16, BASE, BASE).replace(b'"x"', b"1"),
        record("00" * 16, BASE, BASE).replace(b'"y"', b"null"),
        *(nested(b'"x"', levels) for levels in (1_000, 1_010, 1_019)),
        *(nested(b'"y"', levels) for levels in (1_000, 1_010, 1_020)),
    ],
    ids=lambda damage: f"{len(damage)} bytes",
)
def test_a_state_whose_record_is_damaged_is_taken_for_this_tenant_s(
    damage: bytes, storage: Storage
) -> None:
    storage.write(RECORD, damage)
    assert current_folder(storage, BASE) == BASE
    assert told(start(storage, FABRIKAM)) == (BASE, ())
    assert told(start(storage, FABRIKAM)) == (BASE, ())


def test_neither_tenant_nor_key_is_stored_and_hashes_differ_between_storages(
    tmp_path: Path,
) -> None:
    records = []
    for name in ("one", "other"):
        storage = FolderStorage(tmp_path / name)
        start(storage, CONTOSO, "a-very-secret-key")
        start(storage, "fabrikam.example", "another-secret-key")
        records.append((storage.read(RECORD) or b"").decode())
    for text in records:
        for plain in (CONTOSO, "fabrikam", "secret"):
            assert plain not in text
    hashes = [{word for word in text.split('"') if len(word) == 32} for text in records]
    assert len(hashes[0]) == 4  # the key, the tenant's two names, and the intake key
    assert not hashes[0] & hashes[1]


SETTINGS = {
    "oauth": parse(
        OAuthSettings,
        {"tenant_id": "Contoso.example", "client_id": "c", "client_secret": "s", "intake_key": "k"},
    ),
    "basic": parse(
        BasicSettings,
        {"account_name": "Reader@contoso.example", "account_password": "p", "intake_key": "k"},
    ),
}


def test_the_account_of_the_legacy_trigger_names_the_tenant_by_its_domain(storage: Storage) -> None:
    place_of(storage, SETTINGS["basic"]).save(storage)
    assert told(place_of(storage, SETTINGS["oauth"])) == (BASE, ())


def test_the_graph_trigger_keeps_its_state_apart(storage: Storage) -> None:
    place_of(storage, SETTINGS["oauth"]).save(storage)
    values = {"tenant_id": FABRIKAM, "client_id": "c", "client_secret": "s", "intake_key": "k"}
    place = place_of(storage, parse(GraphSettings, values))
    assert told(place) == ("message_trace_graph", ())
