"""The gateway as a program."""

import sys

from heiiki_lab.mobile.pgw.gateway import main

sys.exit(main(sys.argv[1:]))
