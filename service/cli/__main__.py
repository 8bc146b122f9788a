"""`python -m service.cli`: the command line without `runbookd` on the PATH."""

from service.cli.main import main

main()
