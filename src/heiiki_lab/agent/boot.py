"""The file that the guest's first shell runs: puts the package on the path and calls init."""

import sys

sys.path.insert(0, "/mnt/source")

from heiiki_lab.agent import init

sys.path[0] = "/opt/heiiki/src"
# The interpreter starts without `site`, which is what puts Debian's own packages on the path.
sys.path.append("/usr/lib/python3/dist-packages")
init.main(sys.argv[1], sys.argv[2] if sys.argv[2:] else "")
