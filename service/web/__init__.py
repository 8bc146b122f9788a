"""The web process: takes alerts in, answers questions about them, and says how it is.

It calls no vendor. Everything it needs is handed to `create_app` (`service.web.parts`); the
domain decides, admission keeps, and nothing here knows how.
"""
