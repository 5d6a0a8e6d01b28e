"""One HTML page with all pictures in it, written picture by picture.

It needs no network, no script and no other file.
"""

import contextlib
import html
import os
import pathlib

from at_jax.pictures.html import TABLE, TAIL, contents, head, picture


@contextlib.contextmanager
def writing(path, title):
  """A `Page` to write to; the file is there whole in the end, or not at all."""
  path = pathlib.Path(path)
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  try:
    with part.open('w', encoding='utf-8') as file:
      page = Page(file)
      file.write(head(title))
      page.heading(1, title)
      yield page
      file.write(TAIL)
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
    self._file.write(contents(names))

  def table(self, lines):
    """Lines of cells, the head first."""
    begin, end = TABLE
    self._file.write(begin)
    for i, line in enumerate(lines):
      tag = 'td' if i else 'th'
      cells = ''.join(f'<{tag}>{html.escape(c)}</{tag}>' for c in line)
      self._file.write(f'<tr>{cells}</tr>\n')
    self._file.write(end)

  def picture(self, path, text):
    """A PNG, in the page itself; `text` is for those who cannot see it."""
    png = pathlib.Path(path).read_bytes()
    self._file.write(f'<p>{picture(png, text)}</p>\n')
