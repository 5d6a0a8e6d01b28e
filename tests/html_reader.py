"""A page of HTML as a browser would take it apart."""

import html.parser

EMPTY = ('area', 'base', 'br', 'col', 'hr', 'img', 'input', 'link', 'meta')


class Reader(html.parser.HTMLParser):
  """Collects what is in a page; AssertionError unless its tags are balanced.

  Attributes:
    tags: (tag, attributes) in order.
    texts: {tag: all text within such ones}.
    cells: (`td` or `th`, its text), piece by piece.
    text: all that is shown or said, without styles.
  """

  def __init__(self, text):
    super().__init__()
    self.tags, self.texts, self.cells, self.text = [], {}, [], ''
    self._open = []
    self.feed(text)
    self.close()
    assert not self._open

  def handle_starttag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))
    if tag not in EMPTY:
      self._open.append(tag)

  def handle_startendtag(self, tag, attributes):
    assert tag in EMPTY
    self.handle_starttag(tag, attributes)

  def handle_endtag(self, tag):
    assert self._open.pop() == tag

  def handle_data(self, data):
    for tag in self._open:
      self.texts[tag] = self.texts.get(tag, '') + data
    if self._open and self._open[-1] in ('td', 'th'):
      self.cells.append((self._open[-1], data))
    if self._open and self._open[-1] != 'style':
      self.text += data

  def all(self, tag):
    """The attributes of all such tags."""
    return [attributes for name, attributes in self.tags if name == tag]
