"""The signal processing as pure TensorFlow functions, one topic a file.

Private: users import `ddsp.core`.
"""
