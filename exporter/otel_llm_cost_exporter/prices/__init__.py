"""Prices outside the kernel: where they come from, and what can be asked of them.

`data` says which prices are in force, made of data (`convert`, `download`) and files of the project, the user and the
environment (`files`, `text`, `lint`).  `diff`, `drift` and `layers` answer what changed, how another source differs,
and what set a rate.  `table` puts the prices into the store.
"""
