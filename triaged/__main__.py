"""`python -m triaged`: the same as the command `triaged`."""

from triaged.cli import main

main()
