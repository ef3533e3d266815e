"""Profiles: everything a study depends on, checked before any work starts.

A profile is a TOML file: the built-in ones lie in this folder, a user's own may lie anywhere. It holds the
hyper-parameters of section 4 of the paper, the grid of sections 3.1 and 3.2 and the sample of examples for surfaces.
"""
