"""CREPE: its weights, its network and the hidden Markov model of its output."""
