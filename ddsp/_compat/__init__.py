"""Private parts of gin, Keras and TensorFlow that have no public substitute.

No other module of the library touches names that these packages keep private. Each
function here says why the private part is needed, with which versions it is known to
work and what breaks without it. `tests/test_compat.py` has one test for each of them,
so an upgrade that changes a private part fails by its name.

The modules are separate because the signal processing in `ddsp._core` may import
TensorFlow, but neither Keras nor gin.
"""
