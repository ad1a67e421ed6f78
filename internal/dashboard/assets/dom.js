// Elements of the page, made of names and text alone: nothing here, or anywhere else in these
// modules, makes markup from text.

/** The element with an ID, which the page must have. */
export const $ = (id) => {
  const e = document.getElementById(id);
  if (!e) throw new Error(`the page has no #${id}`);
  return e;
};

/**
 * Makes an element. Properties are set as attributes, but for class, text and on*; children are
 * elements or text.
 */
export const el = (tag, properties = {}, ...children) => {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value == null || value === false) continue;
    if (name === 'text') e.textContent = value;
    else if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.filter((c) => c != null));
  return e;
};

/** Sets a text, if it is another one: what did not change is not laid out anew. */
export const say = (e, text) => {
  const wanted = String(text ?? '');
  if (e.textContent !== wanted) e.textContent = wanted;
};

/** Shows an element where there is something to say, and hides it otherwise. */
export const tell = (e, text) => {
  say(e, text);
  e.hidden = !text;
};

/**
 * Keeps a table's body, or a list, in step with rows of data: an element stays for as long as its
 * key does, so that focus, selection and pointer stay where they are.
 */
export const keyed = (parent, data, keyOf, make, update) => {
  const had = new Map([...parent.children].map((e) => [e.dataset.key, e]));
  const focused = document.activeElement;
  let at = parent.firstElementChild;
  for (const d of data) {
    const key = keyOf(d);
    let e = had.get(key);
    if (e) {
      had.delete(key);
    } else {
      e = make(d);
      e.dataset.key = key;
    }
    update(e, d);
    if (e === at) at = at.nextElementSibling;
    else parent.insertBefore(e, at);
  }
  for (const e of had.values()) e.remove();
  if (focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
};

/** Keeps a table of facts: a name and a value a row, and words beside it. */
export const facts = (parent, rows) => {
  let table = parent.querySelector('table');
  if (!table) {
    table = el('table', { class: 'facts-table' }, el('tbody'));
    parent.replaceChildren(table);
  }
  keyed(
    table.tBodies[0],
    rows,
    ([name]) => name,
    ([name]) =>
      el(
        'tr',
        {},
        el('th', { scope: 'row', text: name }),
        el('td', { class: 'beside' }),
        el('td', { class: 'number' }),
      ),
    (tr, [, value, beside, tone]) => {
      say(tr.cells[1], beside ?? '');
      say(tr.cells[2], value);
      tr.className = tone ?? '';
    },
  );
};
