"""Large answers as files: stored for a day, read through a signed link."""

import secrets
from datetime import timedelta

from rallyuxr.store.cloud import Cloud

PREFIX = "exports/"


class ExportFiles:
    """The part of the bucket that holds temporary files; its lifecycle rule removes them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def put_temporary(self, payload: bytes, media_type: str, name: str, *, lives: timedelta) -> str:
        """Store `payload` and give a link that reads it for `lives`."""
        attachment = f'attachment; filename="{name}"'
        key = self.put(payload, name, ContentType=media_type, ContentDisposition=attachment)
        link: str = self._cloud.client("s3").generate_presigned_url(
            "get_object",
            Params={"Bucket": self._cloud.bucket, "Key": key},
            ExpiresIn=int(lives.total_seconds()),
        )
        return link

    def put(self, payload: bytes, name: str, **about: str) -> str:
        """Store `payload` under a key that nobody can guess, and give the key."""
        key = f"{PREFIX}{secrets.token_urlsafe(24)}/{name}"
        self._cloud.call("s3", "put_object", Bucket=self._cloud.bucket, Key=key, Body=payload, **about)
        return key

    def get(self, key: str) -> bytes:
        """What was stored under `key`."""
        stored: bytes = self._cloud.call("s3", "get_object", Bucket=self._cloud.bucket, Key=key)["Body"].read()
        return stored
