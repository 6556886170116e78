"""`python -m heiiki`: the command, where its script is not on the path."""

from heiiki.cli import main

main()
