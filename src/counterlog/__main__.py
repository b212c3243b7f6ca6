"""``python -m counterlog`` is the ``counterlog`` executable."""

from __future__ import annotations

import sys

from counterlog.cli import main

sys.exit(main())
