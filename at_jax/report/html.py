"""report.html: the page of report.md in one file that needs no network."""

import base64
import html
import pathlib
import urllib.parse

from markdown_it import MarkdownIt
from markdown_it.token import Token

from at_jax.pictures.text import ALONE

FEW = 3  # sections that need no table of contents
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{alone}
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}</body>
</html>
"""
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
nav ul { columns: 14rem; padding: 0.75rem 2rem; background: var(--faint); }
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
pre { background: var(--faint); padding: 0.75rem; overflow-x: auto; }
pre code { padding: 0; }
"""


def html_page(text, folder, title):
  """Markdown as a page of HTML, its pictures within.

  HTML in the text is shown as it stands. A picture that is not there is
  replaced by its description.

  Args:
    text: Markdown, as `page.page` makes it.
    folder: where its PNGs are.
    title: of the window.

  Returns:
    HTML.
  """
  markdown = MarkdownIt('commonmark', {'html': False}).enable('table')
  markdown.add_render_rule('image', _image)
  markdown.add_render_rule(
    'table_open', lambda *_: '<div class="table"><table>'
  )
  markdown.add_render_rule('table_close', lambda *_: '</table></div>\n')
  env = {'folder': pathlib.Path(folder)}
  tokens = markdown.parse(text, env)
  _add_contents(tokens)
  body = markdown.renderer.render(tokens, markdown.options, env)
  return PAGE.format(
    alone=ALONE, title=html.escape(title), style=STYLE, body=body
  )


def _image(renderer, tokens, index, options, env):
  """A picture as a data URI."""
  token = tokens[index]
  alt = renderer.renderInlineAsText(token.children, options, env)
  alt = html.escape(alt)
  name = urllib.parse.unquote(token.attrs['src'])
  try:
    data = (env['folder'] / pathlib.PurePath(name).name).read_bytes()
  except OSError:
    return f'<em>{alt}</em>'
  data = base64.b64encode(data).decode()
  return f'<img src="data:image/png;base64,{data}" alt="{alt}">'


def _add_contents(tokens):
  """Numbers the sections, and lists them after the title if they are many."""
  links, after_title = [], 0
  for i, token in enumerate(tokens):
    if token.type != 'heading_open':
      continue
    if token.tag == 'h1':
      after_title = i + 3  # it opens, its text, it closes
    elif token.tag == 'h2':
      token.attrSet('id', f'section{len(links) + 1}')
      text = ''.join(part.content for part in tokens[i + 1].children)
      links.append(
        f'<li><a href="#section{len(links) + 1}">{html.escape(text)}</a></li>'
      )
  if len(links) > FEW:
    listed = '\n'.join(links)
    nav = f'<nav aria-label="Contents"><ul>\n{listed}\n</ul></nav>\n'
    contents = Token('html_block', '', 0, content=nav)
    tokens.insert(after_title, contents)
