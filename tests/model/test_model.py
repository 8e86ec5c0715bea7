"""The model of the loop keeps its promises in every order of events, and breaks them without a safeguard."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("loop.pml")
TEXT = MODEL.read_text()
PAN = ("-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1024")  # no more than 1 GiB
DEPTH = 20_000  # steps; the longest path has fewer than 2,000

pytestmark = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("gcc")), reason="spin or gcc is not installed"
)

LOST = "sent["
REPEATED = "repeats["
LATE = "late"

KILLS = {"KILLS": 2, "LOST": 1, "FAULTS": 1, "CHANGES_1": 2}
REFUSED = {"REFUSING": 1, "KILLS": 1, "LOST": 1, "FAULTS": 1, "CHANGES_0": 1, "CHANGES_1": 3}
FALSE = {"LIES": 1, "KILLS": 1, "REFUSING": 1}
FALSE_OF_ONE_ROW = {**FALSE, "CHANGES_0": 0, "CHANGES_1": 3}
TAKEOVER = {"WRITERS": 2, "CHANGES_1": 0, "FAULTS": 2}
TAKEOVER_OF_TWO_ROWS = {"WRITERS": 2, "CHANGES_0": 1, "CHANGES_1": 1}
TAKEOVER_AND_KILL = {"WRITERS": 2, "CHANGES_0": 1, "CHANGES_1": 0, "KILLS": 1, "LOST": 1}

SEARCHES = {
    "kills and a lost acknowledgement": KILLS,
    "events refused for a while or for good": REFUSED,
    "one false answer": FALSE,
    "one false answer about a row whose changes are refused": FALSE_OF_ONE_ROW,
    "a takeover while a row changes back and pushes fail": TAKEOVER,
    "a takeover with two rows": TAKEOVER_OF_TWO_ROWS,
    "a takeover, a kill and a lost acknowledgement": TAKEOVER_AND_KILL,
}
MUTATIONS: dict[str, tuple[dict[str, int], str]] = {
    "COMMIT_BEFORE_PUSH": (KILLS, LOST),
    "RECORD_BEFORE_PUSH": (KILLS, LOST),
    "RECORD_AS_SET": ({}, LOST),
    "NOTHING_RECORDED": ({}, REPEATED),
    "REFUSED_RECORDED": (REFUSED, LOST),
    "REFUSED_KEPT_IN_MEMORY": (FALSE, LOST),
    "REFUSED_IN_PLACE_OF_ACCEPTED": (REFUSED, REPEATED),
    "REFUSED_NOT_OWED_AS_BEFORE": (FALSE_OF_ONE_ROW, LOST),
    "DECLARED_AFTER_COMMIT": (REFUSED, LOST),
    "ONE_COUNT_OF_REPEATS": (FALSE, LOST),
    "SINGLE_READ_BELIEVED": (FALSE, LOST),
    "NO_FENCING": (TAKEOVER, LATE),
    "RETRIED_WITHOUT_LOOK": (TAKEOVER, LATE),
    "COMMITTED_WITHOUT_LOOK": ({"WRITERS": 2, "CHANGES_1": 0, "KILLS": 1}, LOST),
}
"""The safeguard that each lacks, where it fails, and which promise it breaks."""

EXCEPTIONS = {
    "EXPECT_CHANGES_OF_A_FALSE_FINAL_READ": ({"LIES": 1, "KILLS": 1}, "FINAL_READ_CONFIRMED"),
    "EXPECT_CHANGES_BACK_UNRECORDED": ({"KILLS": 2, "LOST": 1}, "CHANGES_NOTED_BEFORE_PUSH"),
    "EXPECT_CHANGES_DURING_A_TAKEOVER": (TAKEOVER, "PREDECESSOR_WAITED_OUT"),
}
"""A promise without one exception, where it fails, and the mechanism that would keep it."""


@dataclass(frozen=True)
class Verdict:
    """What a search came to: the assertion that some order of events violates, if any."""

    complete: bool
    errors: int
    violated: str


def search(folder: Path, bounds: dict[str, int], *flags: str) -> Verdict:
    """Search every order of events of the model within ``bounds``, with ``flags`` defined."""
    assert all(re.search(rf"#ifn?def {name}$", TEXT, re.MULTILINE) for name in (*bounds, *flags))
    defined = [f"-D{name}={value}" for name, value in bounds.items()]
    defined += [f"-D{flag}" for flag in flags]
    told = ""
    for command in (
        ["spin", "-a", *defined, str(MODEL)],
        ["gcc", *PAN, "-o", "pan", "pan.c"],
        ["./pan", f"-m{DEPTH}"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        told = done.stdout + done.stderr
        assert done.returncode == 0, told
    errors = re.search(r"errors: (\d+)", told)
    assert errors, told
    violated = re.search(r"^pan:\d+: (.*)$", told, re.MULTILINE)
    return Verdict(
        complete="Search not completed" not in told,
        errors=int(errors[1]),
        violated=violated[1] if violated else "",
    )


@pytest.mark.parametrize("bounds", SEARCHES.values(), ids=SEARCHES)
def test_no_order_of_events_breaks_a_promise(tmp_path: Path, bounds: dict[str, int]) -> None:
    assert search(tmp_path, bounds) == Verdict(complete=True, errors=0, violated="")


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_without_a_safeguard_some_order_of_events_breaks_a_promise(
    tmp_path: Path, mutation: str
) -> None:
    bounds, promise = MUTATIONS[mutation]
    verdict = search(tmp_path, bounds, mutation)
    assert verdict.errors == 1
    assert re.match(rf"assertion violated \(*{re.escape(promise)}", verdict.violated), verdict


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_each_exception_is_needed(tmp_path: Path, exception: str) -> None:
    bounds, _ = EXCEPTIONS[exception]
    assert LOST in search(tmp_path, bounds, exception).violated


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_a_known_mechanism_would_make_each_exception_needless(
    tmp_path: Path, exception: str
) -> None:
    bounds, mechanism = EXCEPTIONS[exception]
    verdict = search(tmp_path, bounds, exception, mechanism)
    assert verdict == Verdict(complete=True, errors=0, violated="")
