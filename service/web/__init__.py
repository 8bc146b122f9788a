"""The web process: takes alerts in, answers questions about them, and says how it is.

It calls no vendor but the pager, and that only as a last resort. `create_app` gets all that it
needs as parts (`service.web.parts`). This package neither decides nor stores: that is the work of
the domain and of admission.
"""
