"""An S3 server of the tests' own, and the platform's configuration of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer
from sekoia_automation.storage import get_data_path, get_s3_data_path

BUCKET = "message-traces"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Serve an empty bucket; yields the environment that the SDK configures its storage by.

    All servers of a process share their content, so it is thrown away first.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "FILE_BACKEND": "S3",
        "SUB_FOLDER": "trigger-1",
        "AWS_BUCKET_NAME": BUCKET,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_S3_ENDPOINT_URL": f"http://{host}:{port}",
    }
    try:
        requests.post(environment["AWS_S3_ENDPOINT_URL"] + "/moto-api/reset", timeout=10)
        boto3.client(
            "s3",
            endpoint_url=environment["AWS_S3_ENDPOINT_URL"],
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        ).create_bucket(Bucket=BUCKET)
        yield environment
    finally:
        server.stop()


@contextmanager
def s3_data_path() -> Iterator[Path]:
    """Serve an empty bucket; yields the data path that the SDK makes of the platform's configuration."""
    with s3_server() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        get_data_path.cache_clear()
        get_s3_data_path.cache_clear()
        yield get_data_path()
    get_data_path.cache_clear()
    get_s3_data_path.cache_clear()
