"""Rules and targets from YAML, read and checked whole before any of it is used.

Knows the catalogue and the domain. It reads the files that it is given and no environment:
the values for `${NAME}` are handed in.
"""

from service.rulebook.errors import RuleBookInvalid, RuleError
from service.rulebook.load import load_rulebook
from service.rulebook.pack import packaged

__all__ = ["RuleBookInvalid", "RuleError", "load_rulebook", "packaged"]
