"""Helpers for notebooks, in Colab and elsewhere."""
