// Items in frames; the selection lives here and leaves as one act: {operation, positions, label}.
const make = (tag, cls, text) => {
  const element = document.createElement(tag);
  element.className = cls ?? '';
  element.textContent = text ?? '';
  return element;
};
const fill = (template, values) => template.replace(/{(\w+)}/g, (_, key) => values[key]);

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.ig');
  const signature = JSON.stringify(data);
  if (root.signature === signature) return;             // a rerun of the page with the same items keeps the selection
  root.signature = signature;
  const t = data.text, selected = new Set(), buttons = new Map();
  let anchor = null;

  const bar = make('div', 'acts'), count = make('strong'), label = make('input'), list = make('datalist');
  count.setAttribute('role', 'status');
  list.id = `ig-${Math.random().toString(36).slice(2)}`;
  list.append(...data.labels.map(name => { const option = make('option'); option.value = name; return option; }));
  label.setAttribute('list', list.id);
  label.placeholder = t.label;
  label.setAttribute('aria-label', t.label);
  label.maxLength = 200;
  const button = (text, cls, act) => { const b = make('button', cls, text); b.type = 'button'; b.onclick = act; return b; };
  const send = (operation, extra) => {
    const positions = [...selected];
    clear();
    setTriggerValue('act', { operation, positions, ...extra });
  };
  const relabel = button(t.relabel, 'go', () => { if (label.value.trim()) send('relabel', { label: label.value }); else label.focus(); });
  label.onkeydown = event => { if (event.key === 'Enter') relabel.click(); };
  const hint = make('span', 'hint', t.hint), all = button(t.all, 'quiet', () => { buttons.forEach((_, position) => selected.add(position)); show(); });
  const tools = make('span', 'tools');
  const move = make('select');
  move.setAttribute('aria-label', t.move);
  const choice = (value, text) => { const option = make('option', '', text); option.value = value; return option; };
  move.append(choice('', t.move), ...Object.entries(data.sides).map(([side, name]) => choice(side, name)));
  move.onchange = () => { const side = move.value; move.value = ''; if (side) send(side, {}); };
  tools.append(...(data.relabel ? [label, list, relabel] : []), move, button(t.remove, '', () => send('remove', {})), button(t.clear, 'quiet', () => clear()));
  bar.append(count, hint, tools, all);

  function clear() { selected.clear(); anchor = null; label.value = ''; show(); }
  function show() {
    buttons.forEach((element, position) => element.setAttribute('aria-pressed', selected.has(position)));
    const n = selected.size;
    count.textContent = n ? (n === 1 ? t.one : fill(t.selected, { n })) : '';
    hint.hidden = n > 0; tools.hidden = n === 0; all.hidden = n === 0 || n === buttons.size;
  }
  const toggle = (position, range) => {
    const order = [...buttons.keys()];
    if (range && anchor !== null) {
      const [from, to] = [order.indexOf(anchor), order.indexOf(position)].sort((a, b) => a - b);
      order.slice(from, to + 1).forEach(p => selected.has(anchor) ? selected.add(p) : selected.delete(p));
    } else {
      selected.has(position) ? selected.delete(position) : selected.add(position);
      anchor = position;
    }
    show();
  };

  const cellOf = item => {
    const cell = make('button', item.url ? 'cell' : 'cell words');
    cell.type = 'button';
    cell.title = item.text || item.name;
    cell.setAttribute('aria-label', `${item.label}, ${item.name}`);
    if (item.url) {
      const image = make('img');
      image.loading = 'lazy'; image.alt = ''; image.src = new URL(item.url, document.baseURI).href;
      cell.append(image);
    } else {
      cell.append(make('span', 'text', item.text));
    }
    const caption = make('span', 'caption');
    caption.append(make('b', '', item.label), make('i', '', item.note));
    cell.append(caption);
    cell.onclick = event => toggle(item.position, event.shiftKey);
    buttons.set(item.position, cell);
    return cell;
  };
  const frames = data.groups.map(group => {
    const frame = make('div', `frame${group.some(item => !item.url) ? ' texts' : ''}${data.groups.length > 1 ? ' boxed' : ''}`);
    frame.append(...group.map(cellOf));
    return frame;
  });
  const groups = make('div', data.groups.length > 1 ? 'groups' : '');
  groups.append(...frames);
  root.replaceChildren(bar, groups);
  show();
  if (data.reveal) requestAnimationFrame(() => root.scrollIntoView({ block: 'start' }));
}
