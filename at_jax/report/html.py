"""report.html: the page of report.md in one file that needs no network."""

import html
import pathlib
import urllib.parse

from markdown_it import MarkdownIt
from markdown_it.token import Token

from at_jax.pictures.html import TABLE, TAIL, contents, head, picture

FEW = 3  # sections that need no table of contents


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
  begin, end = TABLE
  markdown.add_render_rule('table_open', lambda *_: begin)
  markdown.add_render_rule('table_close', lambda *_: end)
  env = {'folder': pathlib.Path(folder)}
  tokens = markdown.parse(text, env)
  _add_contents(tokens)
  body = markdown.renderer.render(tokens, markdown.options, env)
  return head(title) + body + TAIL


def _image(renderer, tokens, index, options, env):
  """A picture as a data URI."""
  token = tokens[index]
  alt = renderer.renderInlineAsText(token.children, options, env)
  name = urllib.parse.unquote(token.attrs['src'])
  try:
    png = (env['folder'] / pathlib.PurePath(name).name).read_bytes()
  except OSError:
    return f'<em>{html.escape(alt)}</em>'
  return picture(png, alt)


def _add_contents(tokens):
  """Numbers the sections, and lists them after the title if they are many."""
  links, after_title = {}, 0
  for i, token in enumerate(tokens):
    if token.type != 'heading_open':
      continue
    if token.tag == 'h1':
      after_title = i + 3  # it opens, its text, it closes
    elif token.tag == 'h2':
      name = f'section{len(links) + 1}'
      token.attrSet('id', name)
      links[name] = ''.join(part.content for part in tokens[i + 1].children)
  if len(links) > FEW:
    listed = Token('html_block', '', 0, content=contents(links))
    tokens.insert(after_title, listed)
