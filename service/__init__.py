"""runbookd: runs the scaling runbook, so that the person on call doesn't have to.

The layers, from the bottom. `domain` decides and does no I/O. `ports` says what the outside must
offer. `catalogue` knows each kind of target and each action, `messages` what people are told, and
`intake` what senders post. `triggers` makes requests of alerts, and `rulebook` reads the rules.
`providers`, `store`, `engine` and `sandbox` do the I/O. `bootstrap` chooses the concrete parts,
`doctor` looks at them, and `dev` runs them all. `web` and `cli` are what the outside talks to. The
import contract in pyproject.toml holds that order. `caching` stands beside all of them: it is a
library for the application whose load runbookd watches.
"""
