"""Inference for experiments: pure functions from arrays to frozen results."""
