"""`python -m whyrank.cli` is the command `whyrank`."""

import sys

from whyrank.cli import main

sys.exit(main())
