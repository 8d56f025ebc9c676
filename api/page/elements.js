// Short names for the document. Texts are only ever set as text, never as markup.

export function byId(id) {
  return document.getElementById(id);
}

export function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
