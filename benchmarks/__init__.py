"""The benchmark: one command that measures runbookd beside the floor and a peer, in one run.

    python -m benchmarks                       everything, as a table
    python -m benchmarks --only storm,repeats  some parts
    python -m benchmarks --out result.md       the table as Markdown too

Everything is on loopback, in processes that it starts and ends itself, with data in a temporary
directory. Figures depend on the machine; the ratios are what is compared, so whatever is compared
is measured in turn within one run.
"""
