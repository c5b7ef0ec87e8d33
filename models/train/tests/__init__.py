"""Tests of the recipe that need neither its data nor a GPU: `python -m unittest` in the folder above."""
