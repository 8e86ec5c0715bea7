"""The process takes the place of the platform's former module: on its storage, from its cursor on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

import boto3
import pytest

from tests.end_to_end.scene import MAIL_ENDED, OpenScene, Scene
from tests.s3 import BUCKET, s3_server

MAIL_LEFT = timedelta(minutes=20)
"""Received after the former module's last read; as much again was received before."""


class Takeover:
    """A process on the storage of the former module, which had read up to `edge`."""

    def __init__(self, scene: Scene, edge: datetime) -> None:
        self.scene = scene
        self.edge = edge
        now = scene.world.now()
        self.rows = scene.world.tenant.count(edge, now, now)

    def run(self) -> None:
        """Collect until everything since `edge` has arrived and nothing more comes, and stop."""
        self.scene.start()
        self.scene.wait_until_started()
        self.scene.process.wait_until(lambda: self.scene.world.intake.counts.events >= self.rows)
        self.scene.process.wait_until_quiet(0.5)
        assert self.scene.process.stop().status == 0


@pytest.fixture(params=["folder", "S3"])
def takeover(request: pytest.FixtureRequest, open_scene: OpenScene) -> Iterator[Takeover]:
    """The cursor lies where the former module left it."""
    scene = open_scene()
    edge = (scene.world.now() - MAIL_ENDED - MAIL_LEFT).replace(microsecond=0)
    cursor = json.dumps({"most_recent_date_requested": edge.isoformat()})
    with ExitStack() as opened:
        if request.param == "folder":
            (scene.process.data / "context.json").write_text(cursor)
        else:
            environment = opened.enter_context(s3_server())
            scene.process.environment.update(environment)
            client = boto3.client(
                "s3",
                endpoint_url=environment["AWS_S3_ENDPOINT_URL"],
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
                region_name=environment["AWS_DEFAULT_REGION"],
            )
            key = f"{environment['SUB_FOLDER']}/context.json"
            client.put_object(Bucket=BUCKET, Key=key, Body=cursor.encode())
        yield Takeover(scene, edge)


def test_everything_since_the_cursor_arrives_once_and_nothing_before_it(
    takeover: Takeover,
) -> None:
    scene = takeover.scene
    assert takeover.rows < scene.rows, "start_time reaches back to more than the cursor leaves"
    takeover.run()
    assert scene.said("where the former module stopped")
    now = scene.world.now()
    report = scene.world.check(takeover.edge, now, now)
    assert report.ok, report
    assert report.events == takeover.rows


def test_the_next_start_continues_from_the_process_s_own_state(takeover: Takeover) -> None:
    takeover.run()
    takeover.run()
    assert not takeover.scene.said("the former module")
    assert takeover.scene.world.intake.counts.events == takeover.rows
