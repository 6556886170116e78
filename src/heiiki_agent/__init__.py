"""Programs that run on the nodes; each is one self-contained file that needs Python 3.11 and nothing else."""
