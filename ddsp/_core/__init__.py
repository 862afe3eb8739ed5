"""Signal processing as pure TensorFlow functions, one topic per file.

Private: users import `ddsp.core`.
"""
