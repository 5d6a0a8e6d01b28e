"""What all pages of HTML here share: head, looks, pictures within."""

import base64
import html

# The browser fetches nothing and runs nothing.
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
"""
TAIL = '</body>\n</html>\n'
STYLE = """:root {
  color-scheme: light dark;
  --text: #1f2328; --page: #ffffff; --faint: #f3f4f6; --line: #d0d7de;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #d8dee4; --page: #14171b; --faint: #22272e; --line: #3d444d;
  }
}
body {
  max-width: 96rem; margin: 0 auto; padding: 1rem 1.25rem 4rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word;
}
p, ul, nav { max-width: 46rem; }
h1, h2 { line-height: 1.25; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin-bottom: 0; }
nav { padding: 0.75rem 2rem; background: var(--faint); }
nav ul { columns: 14rem; margin: 0; padding: 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td {
  padding: 0.3rem 0.75rem; text-align: left;
  border-bottom: 1px solid var(--line);
}
td { white-space: nowrap; }
th { background: var(--faint); }
p:has(img) { max-width: none; }
img { max-width: 100%; height: auto; background: #ffffff; }
code { background: var(--faint); padding: 0.1em 0.3em; }
pre { background: var(--faint); padding: 0.75rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
pre code { padding: 0; }
"""
TABLE = '<div class="table"><table>\n', '</table></div>\n'


def head(title):
  """The page down to its first element; `title` is that of the window."""
  return HEAD.format(title=html.escape(title), style=STYLE)


def picture(png, text):
  """A PNG, bytes, in the page itself; `text` is for those who cannot see it."""
  data = base64.b64encode(png).decode('ascii')
  return f'<img src="data:image/png;base64,{data}" alt="{html.escape(text)}">'


def contents(links):
  """Links to headings: {their id: text}."""
  lines = [
    f'<li><a href="#{html.escape(name)}">{html.escape(text)}</a></li>\n'
    for name, text in links.items()
  ]
  return f'<nav aria-label="Contents"><ul>\n{"".join(lines)}</ul></nav>\n'
