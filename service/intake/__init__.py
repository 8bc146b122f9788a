"""From a sender's bytes to a Notification, whatever the format and however hostile the text.

Knows the wire contracts (docs/webhooks.md) and the domain's values, nothing else: no web
framework, no store, no clock, no vendor's SDK. What can never succeed is refused as a whole
with a status and a sentence; one bad alert is quarantined and costs nothing but itself.
"""
