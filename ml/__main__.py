"""``python -m ml COMMAND JOBDIR``: the library's doors for other processes. See ``ml/commands``."""

import sys

from ml.commands import main

sys.exit(main(sys.argv[1:]))
