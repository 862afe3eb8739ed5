"""What `ddsp.spectral_ops` offers, one topic per file."""
