"""Write the pictures of the README's tour to docs/images, from the app as it is now."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]

if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", "-q", "tests/browser/tour.py"], cwd=PROJECT))
