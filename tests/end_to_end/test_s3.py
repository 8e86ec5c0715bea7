"""On the platform the state lies in an S3 bucket: the same promises hold there."""

from __future__ import annotations

import boto3

from tests.end_to_end.scene import OpenScene
from tests.s3 import BUCKET, s3_server


def test_killed_and_restarted_on_s3_nothing_is_lost_and_only_batches_in_flight_repeat(
    open_scene: OpenScene,
) -> None:
    scene = open_scene(messages_per_minute=50, page_size=250, chunk_size=50)
    counts = scene.world.intake.counts
    with s3_server() as environment:
        scene.process.environment.update(environment)
        scene.start()
        scene.process.wait_until(lambda: counts.events >= scene.rows // 3)
        scene.process.kill()
        scene.start()
        scene.wait_until_delivered()
        assert scene.process.stop().status == 0
        client = boto3.client(
            "s3",
            endpoint_url=environment["AWS_S3_ENDPOINT_URL"],
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        names = [
            each["Key"]
            for each in client.list_objects_v2(Bucket=BUCKET, Prefix="trigger-1/message_trace/")[
                "Contents"
            ]
        ]
    report = scene.report()
    assert report.complete, report
    assert len(report.repeated) <= 50
    assert {"trigger-1/message_trace/state-0.json", "trigger-1/message_trace/state-1.json"} <= {
        *names
    }
    assert any("/ledger/" in name for name in names)
    assert not any(scene.process.data.iterdir())
