"""A cold start of the API's Lambda pays for what it needs: numerics are loaded by the first route that computes."""

import subprocess
import sys

LATER = ("boto3", "s3transfer", "scipy.special", "scipy.stats", "pandas", "pyarrow")


def test_the_handler_loads_no_numerics_and_no_resource_layer() -> None:
    code = f"import rallyuxr.handlers.api, sys; print(*[name for name in {LATER} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == ""
