"""Weights of PyTorch networks: their files, their names, and ours.

For `python -m at_jax.convert`. PyTorch is imported where a file needs it.
"""
