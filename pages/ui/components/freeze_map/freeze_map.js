// The freeze map in the browser. `data` is written by __init__.py. Names reach the page through textContent only.
const ROW = 46;          // px, a row with its gap
const BRICK = [6, 28];   // px, thinnest and thickest
const SEND_AFTER = 150;  // ms without a change
const ICON = {
  frozen: 'M8 1.5v13M2.4 4.7l11.2 6.6M13.6 4.7 2.4 11.3M6 2.6l2 2 2-2M6 13.4l2-2 2 2',
  trained: 'M8 1.6c.5 2.7 4.2 4.3 4.2 8.2a4.2 4.2 0 0 1-8.4 0c0-1.7.7-2.9 1.7-3.7.2 1.1.6 1.7 1.3 2C6.5 5.7 6.8 3.3 8 1.6z',
  lora: 'M4 1.8v12.4M9 1.8c5 2.1 5 4.1 1.2 6.2s-3.8 4.1 1.2 6.2',
  lock: 'M4.5 7.2h7a.8.8 0 0 1 .8.8v4.7a.8.8 0 0 1-.8.8h-7a.8.8 0 0 1-.8-.8V8a.8.8 0 0 1 .8-.8zM5.6 7V5a2.4 2.4 0 0 1 4.8 0v2',
  undo: 'M5.5 3 2.5 6l3 3M3 6h6.2a3.6 3.6 0 0 1 0 7.2H6',
  knob: 'M5 6.2 8 3.2l3 3M5 9.8l3 3 3-3',
};

const make = (tag, cls, text) => Object.assign(document.createElement(tag), { className: cls ?? '', textContent: text ?? '' });
const attrs = (element, values) => { for (const key in values) element.setAttribute(key, values[key]); return element; };
const fill = (template, values) => template.replace(/{(\w+)}/g, (_, key) => values[key]);
const sum = (rows, of) => rows.reduce((total, row, i) => total + of(row, i), 0);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const same = (a, b) => a.length === b.length && a.every((state, i) => state === b[i]);

function icon(name) {
  const [svg, path] = ['svg', 'path'].map(tag => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.append(attrs(path, { d: ICON[name] }));
  return attrs(svg, { viewBox: '0 0 16 16', 'aria-hidden': true });
}

// --- what a plan means

const boundary = plan => { const i = plan.findIndex(state => state !== 'frozen'); return i < 0 ? plan.length : i; };

const adaptable = row => !row.locked && row.lora_unit > 0;

// Relative work of an epoch from the first row that learns on (what lies before is stored, or only passed): 1 for the forward pass,
// 1 for the gradient of the inputs of all blocks but the first that learns, 1 for the gradient of the weights of each row that learns.
// A row with adapters has the second and not the third; its adapters have all three, each as large as their share of its numbers.
function work({ rows, stores, rank }, plan) {
  const first = boundary(plan);
  return sum(rows, (row, i) => {
    if (i < first) return stores ? 0 : row.compute;
    const thin = plan[i] === 'lora' ? 1 : 0, share = row.parameters ? rank * row.lora_unit / row.parameters : 0;
    const inputs = thin || i > first ? 1 : 1 - 1 / Math.max(1, row.blocks);
    return row.compute * (1 + inputs + (plan[i] === 'trained') + 3 * thin * share);
  });
}

function figures(data, plan) {
  const { rows, seconds, epochs, stores, rank } = data, cut = boundary(plan), all = work(data, rows.map(() => 'trained')) || 1;
  const learns = (row, state) => ({ trained: row.parameters, lora: rank * row.lora_unit, frozen: 0 })[state];
  const during = epoch => rows.map((row, i) => epochs && row.from_epoch > epoch ? 'frozen' : plan[i]);
  const forward = stop => sum(rows, (row, i) => i < stop ? row.compute : 0);
  const boundaries = new Set(Array.from({ length: epochs || 1 }, (_, epoch) => boundary(during(epoch))));   // each is stored anew
  const s = part => seconds ? part / all * seconds.all_epoch_s : null;
  return {
    cut, gap: plan.slice(cut).includes('frozen'),
    parameters: sum(rows, row => row.parameters),
    trainable: sum(rows, (row, i) => learns(row, plan[i])),
    blocks: sum(rows, row => row.blocks),
    frozenBlocks: sum(rows, (row, i) => i < cut ? row.blocks : 0),
    firstEpoch: s(work(data, during(0))), lastEpoch: s(work(data, during(Math.max(0, epochs - 1)))), everything: s(all),
    once: stores ? s(sum([...boundaries], forward)) : 0, onceShare: forward(cut) / (forward(rows.length) || 1),
  };
}

// --- how figures are written

function writer(lang, text) {
  const number = options => { const format = new Intl.NumberFormat(lang, options); return value => format.format(value); };
  const compact = number({ notation: 'compact', maximumSignificantDigits: 3 });
  const exact = number({}), tenths = number({ maximumFractionDigits: 1 });
  const three = number({ maximumSignificantDigits: 3 }), two = number({ maximumSignificantDigits: 2 });
  const percent = part => fill(text.percent, { n: three(100 * part) }), small = part => fill(text.percent, { n: two(100 * part) });
  const scaled = s => s < 90 ? ['s', s] : s < 5400 ? ['min', s / 60] : ['h', s / 3600];
  const digits = value => value < 0.05 ? '< ' + tenths(0.1) : value < 9.95 ? tenths(value) : exact(Math.round(value));
  const time = s => { const [unit, value] = scaled(s ?? 0); return s === null ? '–' : fill(text[unit], { n: digits(value) }); };
  const times = (a, b) => {   // "0.1 → 3.3 s", "50 s → 2 min"
    if (time(a) === time(b)) return time(a);
    const [[unit, from], [last]] = [scaled(a), scaled(b)];
    return (unit === last ? digits(from) : time(a)) + ' → ' + time(b);
  };
  return {
    compact, exact, time, times,
    share: part => part < 0.01 ? small(part) : percent(part < 1 ? Math.min(part, 0.999) : 1),   // "100 %" is kept for everything
    roughly: part => small(part < 1 ? Math.min(part, 0.99) : 1),
  };
}

// --- the picture, built once

function buildBrush({ rows, text }) {
  const element = attrs(make('div', 'brush'), { role: 'radiogroup', 'aria-label': text.brush }), brush = {};
  element.append(make('span', '', text.brush));
  for (const [state, word] of [['trained', text.fully], ['lora', text.adapter]]) {
    const label = make('label'), input = Object.assign(make('input'), { type: 'radio', name: 'brush', value: state });
    label.append(input, icon(state), make('span', '', word));
    element.append(label);
    brush[state] = input;
  }
  element.hidden = !rows.some(adaptable);
  return { element, brush };
}

function build(root, { rows, text, epochs, disabled }, targets) {
  const bar = make('div', 'bar'), chips = attrs(make('div', 'chips'), { role: 'group', 'aria-label': text.presets });
  const button = label => Object.assign(make('button', 'chip', label), { type: 'button' });
  const chip = Object.fromEntries(Object.keys(targets).map(key => [key, button(text[key])]));
  const undo = button('');
  undo.classList.add('undo');
  undo.append(icon('undo'), make('span', '', text.undo));
  chips.append(...Object.values(chip));
  const { element: brushes, brush } = buildBrush({ rows, text });
  bar.append(chips, brushes, undo);
  bar.hidden = disabled;

  const rail = make('div', 'rail');
  attrs(rail, { role: 'slider', 'aria-orientation': 'vertical', 'aria-label': text.knob, 'aria-disabled': disabled });
  const once = make('span', 'once'), each = make('span', 'each'), knob = make('div', 'knob'), line = make('div', 'cut');
  rail.tabIndex = disabled ? -1 : 0;
  knob.append(icon('knob'));
  rail.append(once, each, knob);

  const list = attrs(make('div', 'rows'), { role: 'listbox', 'aria-multiselectable': true, 'aria-label': text.map });
  const most = Math.max(...rows.map(row => row.parameters)) || 1, hardest = Math.max(...rows.map(row => row.compute)) || 1;
  const views = rows.map(row => buildRow(row, { text, epochs, most, hardest }));
  list.append(...views.map(view => view.element), line);

  const facts = make('dl', 'facts'), fact = {};
  for (const key of ['trains', 'epoch', 'paid']) {
    const box = make('div'), label = make('dt', '', text[key]), big = make('dd', 'big'), small = make('dd');
    box.append(label, big, small);
    facts.append(box);
    fact[key] = { label, big, small };
  }
  const say = attrs(make('p', 'say'), { role: 'status' }), keys = make('div', 'keys');
  const lines = [text.key_length, text.key_thickness, ...(epochs ? [text.key_when] : []), ...(disabled ? [] : [text.hint])];
  if (!disabled && rows.some(adaptable)) lines.push(text.letters);
  keys.append(...lines.map(words => make('span', '', words)));

  const tower = make('div', 'tower'), body = make('div', 'body');
  tower.append(make('div', 'io', text.input), rail, list, make('div', 'io', text.output));
  body.append(tower, facts);
  root.style.setProperty('--row', ROW + 'px');
  root.classList.toggle('off', disabled);
  root.replaceChildren(bar, body, say, keys);
  return { chip, brush, undo, rail, once, each, knob, line, list, views, fact, say };
}

function buildRow(row, { text, epochs, most, hardest }) {
  const element = attrs(make('div'), { role: 'option' });
  const name = make('span', 'name', row.title), plot = make('span', 'plot'), brick = make('div', 'brick');
  const amount = make('span', 'amount'), number = make('span', 'num'), state = make('span', 'state');
  element.title = [row.title, row.locked ? text.locked : row.note].filter(Boolean).join('\n');
  if (row.note) name.append(make('span', 'note', row.note));
  brick.style.width = Math.max(1.5, 100 * row.parameters / most) + '%';
  brick.style.height = BRICK[0] + (BRICK[1] - BRICK[0]) * row.compute / hardest + 'px';
  plot.append(brick);
  if (epochs) {
    const when = make('div', 'when'), on = make('i');
    on.style.left = 100 * clamp(row.from_epoch / epochs, 0, 1) + '%';
    when.append(on);
    plot.append(when);
  }
  amount.append(number, state);
  element.append(name, plot, amount);
  return { element, number, state };
}

// --- drawn again after every change

function draw(root, data, plan, view, { targets, last, active, canUndo, note }) {
  const { rows, text, seconds, disabled, lang } = data, n = rows.length, write = writer(lang, text), now = figures(data, plan);
  const { cut } = now, { fact } = view;
  root.dataset.trainable = now.trainable;
  view.views.forEach(({ element, number, state }, i) => {
    const row = rows[i], words = text[plan[i]];
    element.className = 'row ' + plan[i];
    element.tabIndex = i === active ? 0 : -1;
    number.textContent = write.compact(row.parameters);
    state.replaceChildren(icon(plan[i]), make('b', '', words), ...(row.locked ? [icon('lock')] : []));
    attrs(element, { 'aria-selected': plan[i] !== 'frozen', 'aria-disabled': disabled || row.locked,
      'aria-label': fill(text.row, { name: row.title, a: write.exact(row.parameters), state: row.locked ? text.locked : words }) });
  });
  view.once.style.height = view.line.style.top = view.knob.style.top = view.each.style.top = cut * ROW + 'px';
  view.line.hidden = !cut || cut === n;
  view.once.hidden = !cut;
  view.each.hidden = cut === n;
  view.once.textContent = cut * ROW > 120 && data.stores ? text.once : '';
  view.each.textContent = (n - cut) * ROW > 90 ? text.each : '';
  attrs(view.rail, { 'aria-valuemin': 0, 'aria-valuemax': last, 'aria-valuenow': cut,
    'aria-valuetext': fill(text.knob_at, { a: now.frozenBlocks, b: now.blocks }) });
  for (const key in view.chip) attrs(view.chip[key], { 'aria-pressed': same(plan, targets[key]) });
  for (const state in view.brush) view.brush[state].checked = state === (root.brush ?? 'trained');
  view.undo.disabled = !canUndo;

  fact.trains.big.textContent = write.share(now.trainable / (now.parameters || 1));
  fact.trains.small.textContent = fill(text.trains_of, { a: write.compact(now.trainable), b: write.compact(now.parameters) });
  fact.trains.small.title = fill(text.trains_of, { a: write.exact(now.trainable), b: write.exact(now.parameters) });
  fact.epoch.label.textContent = seconds ? fill(text.epoch_of, { n: write.exact(seconds.n_items) }) : text.epoch;
  fact.epoch.big.textContent = now.trainable ? write.times(now.firstEpoch, now.lastEpoch) : '–';
  fact.epoch.small.textContent = seconds ? fill(text.versus, { a: write.time(now.everything) }) : text.unmeasured;
  fact.paid.big.textContent = now.once ? write.time(now.once) : '–';
  const paidOf = { a: now.frozenBlocks, b: now.blocks, p: write.roughly(now.onceShare) };
  fact.paid.small.textContent = !data.stores ? text.unstored : cut ? fill(text.paid_of, paidOf) : now.once ? text.paid_early : text.unpaid;

  const byAdapters = plan.includes('lora') && !rows.some((row, i) => !row.locked && plan[i] === 'trained');
  const kind = !now.trainable ? 'say_none' : now.gap ? 'say_gap' : byAdapters ? 'say_lora'
    : same(plan, targets.head) ? 'say_head' : cut ? 'say_some' : 'say_all';
  const words = note ?? text[kind];
  if (view.say.textContent !== words) view.say.textContent = words;   // a screen reader repeats what is written again
  view.say.classList.toggle('bad', kind === 'say_none' || kind === 'say_gap');
}

// --- the component

export default function mount(component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector('.fm'), { plan: given, ...rest } = data, { rows, disabled } = data, n = rows.length;
  const signature = JSON.stringify(disabled ? data : rest);
  root.send = plan => setStateValue('edit', { rev: data.rev, plan });
  if (root.signature === signature) return;   // the same map: keep what is being edited
  root.waiting = root.matches('.drag') ? () => mount(component) : null;
  if (root.waiting) return;                   // don't take the knob out of the hand
  root.signature = signature;
  if (!disabled && (root.rev !== data.rev || root.plan.length !== n)) {
    clearTimeout(root.timer);                 // an unsent edit of the plan before
    Object.assign(root, { rev: data.rev, plan: [...given], past: [], timer: 0, brush: given.includes('lora') ? 'lora' : 'trained' });
  }
  const focusable = () => [...root.querySelectorAll('[tabindex], button, input')];
  const focused = focusable().indexOf(root.getRootNode().activeElement);

  const lockedAt = rows.findIndex(row => row.locked), last = lockedAt < 0 ? n : lockedAt, head = lockedAt < 0 ? n - 1 : lockedAt;
  const can = (i, state) => !rows[i].locked && (state !== 'lora' || adaptable(rows[i]));
  const learning = (i, state) => rows[i].locked ? 'trained' : can(i, state) ? state : 'frozen';
  const trainedFrom = k => rows.map((row, i) => i < k ? learning(i, 'frozen') : 'trained');
  const targets = { head: trainedFrom(head), ...(head > 1 ? { last: trainedFrom(head - 1) } : {}), all: trainedFrom(0),
    ...(rows.some(adaptable) ? { adapters: rows.map((row, i) => learning(i, 'lora')) } : {}) };
  const view = build(root, data, targets);
  let active = clamp(root.active ?? 0, 0, n - 1), anchor = active, note = null;
  const show = () => disabled ? draw(root, data, given, view, { targets, last, active, note, canUndo: false })
    : draw(root, data, root.plan, view, { targets, last, active, note, canUndo: root.past.length > 0 });
  show();
  focusable()[focused]?.focus({ preventScroll: true });

  const frozenTo = (k, plan) => rows.map((row, i) => i < k ? learning(i, 'frozen') : plan[i] !== 'frozen' ? plan[i] : learning(i, root.brush));
  const painted = (i, j, state) => root.plan.map((old, m) => (m - i) * (m - j) > 0 || !can(m, state) ? old : state);

  const flush = () => { if (root.timer) { clearTimeout(root.timer); root.timer = 0; root.send([...root.plan]); } };
  function changed() { show(); clearTimeout(root.timer); root.timer = setTimeout(flush, SEND_AFTER); }
  function become(next, before = root.plan) {
    note = null;
    if (same(next, before)) return show();
    root.past.push([...before]);
    root.plan = next;
    changed();
  }
  function undo() { if (root.past.length) { note = null; root.plan = root.past.pop(); changed(); } }
  function paint(i, state) {
    anchor = i;
    if (can(i, state)) become(painted(i, i, state));
    else { note = rows[i].locked ? data.text.locked : data.text.bare; show(); }
  }
  function toggle(i) { paint(i, root.plan[i] === root.brush ? 'frozen' : root.brush); }

  root.onpointerleave = flush;                // the page's next button never overtakes the last click
  root.onfocusout = event => { if (!root.contains(event.relatedTarget)) flush(); };
  if (disabled) { root.onkeydown = null; return; }

  const handled = event => { event.preventDefault(); event.stopPropagation(); };   // Streamlit has letter keys of its own
  root.onkeydown = event => { if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z') { undo(); handled(event); } };
  view.undo.onclick = undo;
  for (const key in view.chip) {
    view.chip[key].onclick = () => {
      if (key !== 'head') root.brush = key === 'adapters' ? 'lora' : 'trained';
      become(targets[key]);
    };
  }
  for (const state in view.brush) view.brush[state].onchange = () => { root.brush = state; };

  view.views.forEach(({ element }, i) => {
    element.onfocus = () => { root.active = active = i; };
    element.onclick = event => {
      element.focus({ preventScroll: true });
      if (event.shiftKey) become(painted(anchor, i, root.plan[anchor])); else toggle(i);
    };
  });
  view.list.onkeydown = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: n - 1 }[event.key];
    const state = { f: 'frozen', t: 'trained', l: 'lora' }[event.key.toLowerCase()];
    if (to !== undefined) {
      active = clamp(to, 0, n - 1);
      if (event.shiftKey) become(painted(anchor, active, root.plan[anchor])); else { anchor = active; show(); }
      view.views[active].element.focus();
    } else if (event.key === ' ' || event.key === 'Enter') toggle(active);
    else if (state) paint(active, state);
    else return;
    handled(event);
  };

  view.rail.onkeydown = event => {
    const cut = boundary(root.plan), to = { ArrowDown: cut + 1, ArrowUp: cut - 1, Home: 0, End: last }[event.key];
    if (to !== undefined) { become(frozenTo(clamp(to, 0, last), root.plan)); handled(event); }
  };
  view.rail.onpointerdown = event => {
    const before = root.plan, rail = view.rail;
    const at = e => clamp(Math.round((e.clientY - rail.getBoundingClientRect().top) / ROW), 0, last);
    const move = e => { if (at(e) !== boundary(root.plan)) { root.plan = frozenTo(at(e), before); note = null; show(); } };
    rail.setPointerCapture(event.pointerId);
    root.classList.add('drag');
    rail.onpointermove = move;
    rail.onpointerup = rail.onpointercancel = () => {
      rail.onpointermove = rail.onpointerup = rail.onpointercancel = null;
      root.classList.remove('drag');
      become(root.plan, before);
      root.waiting?.();
    };
    move(event);
  };
}
