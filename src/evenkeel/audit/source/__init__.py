"""Source to facts: one room a language, a shared cache, and the walk over the tree. Never judges.

`walk` lists the files with what each is for (`classify`), what its importers call it (`modules`), and what was passed
over;
`extract` gives the encoded facts of files, from the `cache` or read in processes that may crash (`pool`). `languages` says
which front end reads which files. The audited tree is only read, and everything that cannot be read is a gap.
"""
