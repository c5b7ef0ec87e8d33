"""Training of the packs of other families: `blend`, a variational autoencoder, and `quill`, an autoregressive model.

Both draw the portraits of the second data set and read the same attributes. Depends on `pictogram` for settings, data, rounding and
training loops.
"""
