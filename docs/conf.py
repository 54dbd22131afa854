"""The documentation as a site: `make docs`, then open docs/_build/index.html."""

from hlmbayes import __version__

project = "hlmbayes"
author = "The hlmbayes developers"
copyright = author
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
# what docstrings have between single backticks is code
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
html_theme = "pydata_sphinx_theme"
html_title = f"hlmbayes {release}"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
}
html_sidebars = {"**": ["globaltoc.html"]}
# the changelog and the page for developers lie beside the package
suppress_warnings = ["myst.xref_missing"]
