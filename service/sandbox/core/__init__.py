"""What all stand-in vendors share: calls and answers, faults, tokens, rate limits, the record.

The rate limits of each vendor are in `limits.py`, and the actions of droplets are known to
`faults.py`. Everything else here knows no vendor.
"""
