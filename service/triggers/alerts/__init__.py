"""Admission: from notifications to verdicts and queued runs, in one transaction.

The web process and a replay go the same way. What is decided is pure (`service.domain`); this
package brings the inputs together in the right order: rules, then the Redis gate in one round
trip, then everything else in one SQL transaction.
"""
