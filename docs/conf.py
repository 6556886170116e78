"""How Sphinx builds the site; `make docs` copies this folder beside the reference of plugins and roles."""

import heiiki

project = "Heiiki"
author = "Heiiki contributors"
copyright = author  # noqa: A001 - Sphinx reads this name
release = version = heiiki.__version__

extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinx_click"]
root_doc = "index"
html_theme = "furo"
html_title = f"Heiiki {release}"
html_copy_source = False

# Links to headings work as they do on a forge.
myst_heading_anchors = 3
# The reference that antsibull-docs writes points into Ansible's own documentation, which is not built here.
suppress_warnings = ["ref.ref"]
