"""Training recipe of the `pictogram` pack: prepare → words → train → distil → decoder → export → evaluate.

Every stage is `python -m pictogram.STAGE`, reads and writes one work folder (`--work`, default `work`),
resumes from its own checkpoint there, and runs unchanged on a CPU and on CUDA.
"""
