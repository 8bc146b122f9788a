"""Key performance indicators: targets, error budgets, and what Prometheus watches of them. Pure."""
