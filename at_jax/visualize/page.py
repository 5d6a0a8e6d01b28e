"""One HTML page with all pictures in it, written picture by picture.

It needs no network, no script and no other file.
"""

import base64
import contextlib
import html
import os
import pathlib

from at_jax.pictures.text import ALONE

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{alone}
<title>{title}</title>
<style>
body {{ margin: 1.5rem auto; max-width: 100rem; padding: 0 1rem;
  font: 1rem/1.5 system-ui, sans-serif; color: #222; background: #fff; }}
h1 {{ font-size: 1.5rem; }}
h2 {{ font-size: 1.2rem; border-top: 1px solid #bbb; padding-top: 1rem; }}
h3 {{ font-size: 1rem; margin-bottom: 0; }}
p {{ max-width: 50rem; }}
img {{ max-width: 100%; height: auto; }}
.wide {{ overflow-x: auto; }}
pre {{ background: #f3f4f6; padding: 0.5rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }}
nav a {{ margin-right: 0.8em; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #bbb; padding: 0.2em 0.6em; text-align: left; }}
tr > :first-child {{ white-space: nowrap; }}
</style>
</head>
<body>
"""


@contextlib.contextmanager
def writing(path, title):
  """A `Page` to write to; the file is there whole in the end, or not at all."""
  path = pathlib.Path(path)
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  try:
    with part.open('w', encoding='utf-8') as file:
      page = Page(file)
      file.write(HEAD.format(alone=ALONE, title=html.escape(title)))
      page.heading(1, title)
      yield page
      file.write('</body>\n</html>\n')
    part.replace(path)
  finally:
    part.unlink(missing_ok=True)


class Page:
  """What can be written, from top to bottom; all text is escaped."""

  def __init__(self, file):
    self._file = file

  def heading(self, level, text, name=''):
    """A heading; `name` is what a link calls it."""
    own = f' id="{html.escape(name)}"' if name else ''
    self._file.write(f'<h{level}{own}>{html.escape(text)}</h{level}>\n')

  def text(self, text):
    self._file.write(f'<p>{html.escape(text)}</p>\n')

  def command(self, text):
    """A command as it is typed."""
    self._file.write(f'<pre>{html.escape(text)}</pre>\n')

  def links(self, names):
    """Links to headings: {name: text}."""
    self._file.write('<nav>\n')
    for name, text in names.items():
      name, text = html.escape(name), html.escape(text)
      self._file.write(f'<a href="#{name}">{text}</a>\n')
    self._file.write('</nav>\n')

  def table(self, lines):
    """Lines of cells, the head first."""
    self._file.write('<div class="wide"><table>\n')
    for i, line in enumerate(lines):
      tag = 'td' if i else 'th'
      cells = ''.join(f'<{tag}>{html.escape(c)}</{tag}>' for c in line)
      self._file.write(f'<tr>{cells}</tr>\n')
    self._file.write('</table></div>\n')

  def picture(self, path, text):
    """A PNG, in the page itself; `text` is for those who cannot see it."""
    data = base64.b64encode(pathlib.Path(path).read_bytes()).decode('ascii')
    self._file.write(
      f'<div><img alt="{html.escape(text)}" '
      f'src="data:image/png;base64,{data}"></div>\n'
    )
