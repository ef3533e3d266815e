"""How fast the engine is, beside its rivals and the machine's limit: `python -m benchmarks --size small`."""
