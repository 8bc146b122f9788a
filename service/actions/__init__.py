"""The verbs of the runbook, one per file: observe, plan, steps, verify.

Actions speak to vendors only through `service.ports` and keep nothing: what must survive a
crash is recorded by the engine through the `StepContext` it hands in.
"""
