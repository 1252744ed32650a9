"""Files for one download, in S3 under `exports/`, which the bucket empties after a day."""

from datetime import timedelta
from uuid import uuid4

from rallyuxr.store.cloud import Cloud

PREFIX = "exports"


class ExportRepository:
    """One deployment's temporary files."""

    def __init__(self, cloud: Cloud, bucket: str) -> None:
        self._cloud = cloud
        self._bucket = bucket

    def put_temporary(self, payload: bytes, media_type: str, name: str, *, lives: timedelta) -> str:
        """Store a file and return a signed link to it that works for `lives`."""
        key = f"{PREFIX}/{uuid4()}/{name}"
        self._cloud.call(
            "s3",
            "put_object",
            Bucket=self._bucket,
            Key=key,
            Body=payload,
            ContentType=media_type,
            ContentDisposition=f'attachment; filename="{name}"',
        )
        link: str = self._cloud.client("s3").generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=int(lives.total_seconds()),
        )
        return link
