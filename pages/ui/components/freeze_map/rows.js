// The rows of the map: a group, below it (when it is open) its blocks. Built once, drawn again after every change.
// px: a group, a block inside one, what details or changes add to it, a probe between rows
const TALL = 46, LOW = 36, DETAIL = 24, ROOM = 8, PROBE = 22;
const BRICK = [6, 28];                                // px, thinnest and thickest
const STILL = 1e-4;                                   // a relative change that counts as none

// `net` with a row for each group and for each of its blocks where there are several, in the order of the page.
function places(net) {
  return net.groups.flatMap((group, g) => [
    { row: group, indices: group.members, group: g, inner: false, opens: group.shown.length > 1 },
    ...(group.shown.length > 1 ? group.shown.map(i => ({ row: net.blocks[i], indices: [i], group: g, inner: true, opens: false })) : [])]);
}

function buildRows(net, data) {
  const { text, change } = data, groups = net.groups, costs = data.conditions?.costs;
  const weight = { parameters: i => net.blocks[i].parameters, compute: i => costs?.measured ? costs.blocks[i].forward_s : net.blocks[i].compute };
  const total = (of, indices) => sum(indices, weight[of]);
  const most = Math.max(...groups.map(group => total('parameters', group.members))) || 1;
  const hardest = Math.max(...groups.map(group => total('compute', group.members))) || 1;
  return places(net).map(place => {
    const { row, indices, inner, opens } = place, parameters = total('parameters', indices);
    const element = attrs(make('div'), { role: 'row', 'aria-level': inner ? 2 : 1, ...(opens ? { 'aria-expanded': false } : {}) });
    const label = attrs(make('span', 'label'), { role: 'gridcell' }), title = make('span', 'title'), name = make('span', 'name', row.title);
    const plot = attrs(make('span', 'plot'), { role: 'gridcell' }), amount = attrs(make('span', 'amount'), { role: 'gridcell' });
    const brick = make('div', 'brick'), number = make('span', 'num'), state = make('span', 'state'), opener = chipButton('', 'opener');
    element.title = [row.title, row.locked ? text.locked : row.note].filter(Boolean).join('\n');
    if (row.note) name.append(make('span', 'note', row.note));
    opener.append(icon('open'));
    attrs(opener, { tabindex: -1, 'aria-label': fill(text.open, { name: row.title }) });
    opener.hidden = !opens;
    title.append(opener, name);
    brick.style.width = Math.max(1.5, 100 * parameters / most) + '%';
    brick.style.height = BRICK[0] + (BRICK[1] - BRICK[0]) * total('compute', indices) / hardest + 'px';
    brick.append(...(inner ? indices : groups[place.group].shown).map(i => Object.assign(make('i'), { index: i })));
    for (const piece of brick.children) piece.style.flexGrow = net.blocks[piece.index].parameters || 1;
    plot.append(brick);
    const details = row.locked || change ? {} : buildDetails(row, data);
    const when = make('div', 'when'), on = make('i'), handle = details.handle;
    when.append(on);
    if (handle) when.append(handle);
    amount.append(number, state);
    label.append(title);
    plot.append(when);
    if (!change) {
      label.append(details.pull?.element ?? make('span', 'step'));
      amount.append(details.rate?.element ?? make('span', 'step still', row.locked ? fill(text.times, { n: 1 }) : ''));
    }
    element.append(label, plot, amount);
    return { ...place, element, parameters, brick, number, state, opener, when, on, ...details };
  });
}

function buildDetails(row, { text }) {
  const handle = attrs(make('span', 'handle'), { role: 'slider', 'aria-label': fill(text.joins, { name: row.title }) });
  return { handle, rate: stepper('rate', fill(text.rate, { name: row.title })), pull: stepper('pull', fill(text.pull, { name: row.title })) };
}

function buildProbes(net, { text, probes }) {
  const width = Math.max(...probes.shown.map(({ words }) => words.length), 0) + 'ch';   // scales stand below one another
  return probes.shown.map(({ after, words, at, low, high }) => {
    const index = net.blocks.findIndex(block => block.name === after), element = make('div', 'probe');
    if (index < 0) return null;
    const scale = make('span', 'scale'), range = make('i'), dot = make('b');
    range.style.left = 100 * clamp(low, 0, 1) + '%';
    range.style.right = 100 * (1 - clamp(high, 0, 1)) + '%';
    dot.style.left = 100 * clamp(at, 0, 1) + '%';
    scale.append(range, dot);
    const reach = make('span', 'reach', words);
    reach.style.minWidth = width;
    element.append(reach, scale);
    element.title = fill(text.probe_of, { name: net.blocks[index].title });
    return { index, element };
  }).filter(Boolean);
}

// Which rows and probes are seen, and where: `stops` are the places of the boundary, [y, number of blocks before it].
function layout(net, views, probes, { open, details, change }) {
  const extra = details ? DETAIL : change ? ROOM : 0, stops = [], seen = [];
  let y = 0;
  views.forEach((view, v) => {
    view.element.hidden = view.inner && !open.has(net.groups[view.group].name);
    if (view.element.hidden) return;
    const opened = view.opens && open.has(view.row.name), indices = view.indices, next = indices.at(-1) + 1;
    if (!view.inner) stops.push([y, indices[0]]);
    view.top = y;
    y += (view.inner ? LOW : TALL) + extra;
    view.bottom = y;
    seen.push(v);
    const end = view.inner && net.groups[view.group].shown.at(-1) === indices[0] ? net.groups[view.group].members.at(-1) + 1 : next;
    const probe = opened ? null : probes.find(({ index }) => index < end && net.blocks.slice(index + 1, end).every(block => !block.parameters)
      && index >= indices[0]);
    view.probe = probe ?? null;
    if (view.inner || !opened) stops.push([y, end]);
    if (probe) y += PROBE;
  });
  return { stops, seen, height: y };
}

// Where the boundary stands; inside a closed group in proportion to its blocks.
function heightOf(net, views, { stops }, k) {
  const exact = stops.find(([, at]) => at === k);
  if (exact) return exact[0];
  const view = views.find(({ element, indices, inner }) => !element.hidden && !inner && indices[0] < k && k <= indices.at(-1) + 1);
  if (!view) return 0;
  const before = sum(view.indices, i => i < k ? 1 : 0);
  return view.top + (view.bottom - view.top) * before / view.indices.length;
}

function drawRow(view, net, plan, data, format) {
  const { text, epochs, disabled } = data, { row, indices, element } = view;
  const shown = indices.filter(i => net.blocks[i].parameters > 0), of = shown.length ? shown : indices, state = stateOf(net, plan, of);
  const partly = state === 'mixed' && of.some(i => !learns(plan[i])), words = text[partly ? 'part' : state];
  element.className = 'row ' + state + (view.inner ? ' inner' : '');
  write(view.number, format.compact(view.parameters));
  const split = state === 'mixed' || !!data.change;   // one piece for all blocks, or one for each
  [...view.brick.children].forEach((piece, p) => { piece.className = split ? plan[piece.index].state : state; piece.hidden = p > 0 && !split; });
  view.brick.classList.toggle('split', split);
  view.state.replaceChildren(icon(state), make('b', '', words), ...(row.locked ? [icon('lock')] : []));
  element.classList.toggle('still', disabled || !!row.locked);
  attrs(element, { 'aria-selected': state !== 'frozen',
    'aria-label': fill(text.row, { name: row.title, a: format.exact(view.parameters), state: row.locked ? text.locked : words }) });
  if (data.change) return drawChange(view, net, of, data, format);
  const from = span(plan, of, 'from_epoch') ?? [epochs, epochs];
  view.on.style.left = 100 * clamp(from[0] / (epochs || 1), 0, 1) + '%';
  view.when.classList.toggle('late', from[1] > from[0]);
  if (view.handle) drawDetails(view, net, plan, of, from, data, format);
}

const spread = ([low, high], say) => low === high ? say(low) : say(low) + '–' + say(high);

function drawDetails({ handle, rate, pull }, net, plan, indices, from, { text, epochs }, format) {
  const active = indices.some(i => learns(plan[i])), full = indices.some(i => plan[i].state === 'trained');
  handle.hidden = !active || epochs < 2;
  rate.element.style.visibility = active ? '' : 'hidden';
  pull.element.style.visibility = full ? '' : 'hidden';
  if (!active) return;
  const joins = fill(text[from[0] >= epochs ? 'joins_never' : 'joins_at'], { e: from[0] + 1, n: epochs });
  handle.style.left = 100 * clamp(from[0] / (epochs || 1), 0, 1) + '%';
  handle.title = joins;
  attrs(handle, { 'aria-valuemin': 1, 'aria-valuemax': epochs, 'aria-valuenow': Math.min(from[0] + 1, epochs), 'aria-valuetext': joins });
  const shares = span(plan, indices, 'lr_scale');
  const pulls = full ? span(plan, indices.filter(i => plan[i].state === 'trained'), 'anchor') : [0, 0];
  const times = fill(text.times, { n: spread(shares, format.two) });
  write(rate.value, times);
  attrs(rate.element, { 'aria-valuenow': shares[0], 'aria-valuetext': times });
  const held = pulls[1] ? fill(text.pulled, { n: spread(pulls, format.two) }) : text.free;
  write(pull.value, held);
  pull.element.classList.toggle('set', pulls[1] > 0);
  attrs(pull.element, { 'aria-valuenow': pulls[0], 'aria-valuetext': held });
}

// How far the weights have moved, on a logarithmic scale from 0.01 % to 100 %.
function drawChange({ row, state, brick, on, element }, net, indices, { change, text }, format) {
  const known = indices.filter(i => change[i] !== null), weight = sum(known, i => net.blocks[i].parameters);
  const moved = known.length ? Math.sqrt(sum(known, i => net.blocks[i].parameters * change[i] ** 2) / (weight || 1)) : null;
  const reach = part => clamp(1 + Math.log10(Math.max(part, 1e-9)) / 4, 0, 1);
  const words = moved === null ? text.fresh : moved < STILL ? text.unmoved : fill(text.moved, { p: format.small(moved) });
  element.style.setProperty('--moved', moved === null ? 0 : reach(moved));
  for (const piece of brick.children) piece.style.setProperty('--moved', change[piece.index] === null ? 0 : reach(change[piece.index]));
  on.style.cssText = `left: 0; width: ${100 * (moved === null ? 0 : reach(moved))}%`;
  state.replaceChildren(make('b', '', words), ...(row.locked ? [icon('lock')] : []));
  attrs(element, { 'aria-label': `${row.title}: ${words}` });
  element.dataset.moved = moved === null ? '' : moved;
}
