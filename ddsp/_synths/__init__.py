"""What `ddsp.synths` offers, one kind of synthesizer per file."""
