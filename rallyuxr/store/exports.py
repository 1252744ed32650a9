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
        place = {"Bucket": self._cloud.bucket, "Key": f"{PREFIX}{secrets.token_urlsafe(24)}/{name}"}
        attachment = f'attachment; filename="{name}"'
        self._cloud.call(
            "s3", "put_object", **place, Body=payload, ContentType=media_type, ContentDisposition=attachment
        )
        link: str = self._cloud.client("s3").generate_presigned_url(
            "get_object", Params=place, ExpiresIn=int(lives.total_seconds())
        )
        return link
