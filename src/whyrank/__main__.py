"""`python -m whyrank`: the program, also where a launcher such as torchrun starts modules."""

import sys

from whyrank.cli import main

sys.exit(main())
