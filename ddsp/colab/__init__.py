"""Helpers for notebooks, on Colab or anywhere else."""
