"""`python -m countinghouse` is the `countinghouse` command."""

from countinghouse.cli.app import main

main()
