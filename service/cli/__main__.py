"""`python -m service.cli`: the command line where no `runbookd` is on the PATH."""

from service.cli.main import main

main()
