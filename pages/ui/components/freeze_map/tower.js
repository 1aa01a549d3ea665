// The map as a whole: chips, rail, rows, figures beside them. Built once for each set of data, drawn again after every change.

const FACTS = ['trains', 'epoch', 'paid', 'memory'];

function buildBrush(net, { text }) {
  const element = attrs(make('div', 'brush'), { role: 'radiogroup', 'aria-label': text.brush }), brush = {};
  element.append(make('span', '', text.brush));
  for (const [state, word] of [['trained', text.fully], ['lora', text.adapter]]) {
    const label = make('label'), input = Object.assign(make('input'), { type: 'radio', name: 'brush', value: state });
    label.append(input, icon(state), make('span', '', word));
    element.append(label);
    brush[state] = input;
  }
  element.hidden = !net.blocks.some(adaptable);
  return { element, brush };
}

// The switch that opens the details, with what sets them for all rows at once.
function buildMore({ text, epochs }) {
  const element = make('div', 'more'), switcher = chipButton('', 'reveal'), box = make('div', 'sets'), set = {};
  switcher.append(icon('open'), make('span', '', text.details));
  for (const [label, keys] of [[text.when, epochs > 1 ? ['gradually', 'together'] : []], [text.speed, ['behind', 'even']]]) {
    if (!keys.length) continue;
    const part = attrs(make('div', 'chips'), { role: 'group', 'aria-label': label });
    part.append(make('span', 'asked', label));
    for (const key of keys) {
      part.append(set[key] = chipButton(text[key]));
      set[key].title = text[`${key}_why`];
    }
    box.append(part);
  }
  element.append(switcher, box);
  return { element, switcher, box, set };
}

function buildFacts(text) {
  const facts = make('dl', 'facts'), fact = {};
  for (const key of FACTS) {
    const box = make('div'), label = make('dt', '', text[key]), big = make('dd', 'big'), small = make('dd'), also = make('dd');
    box.append(label, big, small, also);
    facts.append(box);
    fact[key] = { label, big, small, also };
  }
  return { facts, fact };
}

function build(root, net, data, chips) {
  const { text, disabled, change } = data;
  const bar = make('div', 'bar'), chosen = attrs(make('div', 'chips'), { role: 'group', 'aria-label': text.presets });
  const chip = Object.fromEntries(Object.keys(chips).map(key => [key, chipButton(text[key])])), undo = chipButton('', 'chip undo');
  undo.append(icon('undo'), make('span', '', text.undo));
  chosen.append(...Object.values(chip));
  const { element: brushes, brush } = buildBrush(net, data), more = buildMore(data);
  bar.append(chosen, brushes, undo);
  bar.hidden = more.box.hidden = disabled;
  more.element.hidden = !!change;

  const rail = make('div', 'rail');
  attrs(rail, { role: 'slider', 'aria-orientation': 'vertical', 'aria-label': text.knob, 'aria-disabled': disabled });
  const once = make('span', 'once'), each = make('span', 'each'), knob = make('div', 'knob'), line = make('div', 'cut');
  rail.tabIndex = disabled ? -1 : 0;
  knob.append(icon('knob'));
  rail.append(once, each, knob);

  const list = attrs(make('div', 'rows'), { role: 'treegrid', 'aria-multiselectable': true, 'aria-readonly': disabled, 'aria-label': text.map });
  const views = buildRows(net, data), probes = buildProbes(net, data);
  list.append(...views.map(view => view.element), line);

  const { facts, fact } = buildFacts(text), say = attrs(make('p', 'say'), { role: 'status' }), keys = make('div', 'keys');
  const tower = make('div', 'tower'), body = make('div', 'body');
  tower.append(make('div', 'io', text.input), rail, list, make('div', 'io', text.output));
  body.append(tower, facts);
  const sizes = { tall: TALL, low: LOW, detail: DETAIL, room: ROOM, probe: PROBE };
  for (const name in sizes) root.style.setProperty('--' + name, sizes[name] + 'px');
  root.classList.toggle('off', disabled);
  root.classList.toggle('moved', !!change);
  say.hidden = !!change;
  root.replaceChildren(bar, more.element, body, say, keys);
  return { chip, brush, undo, rail, once, each, knob, line, list, views, probes, fact, say, keys, more };
}

function legend(net, { text, disabled, change, probes }, details) {
  if (change) return [text.key_length, text.key_thickness, text.key_moved];
  return [text.key_length, text.key_thickness, ...(details ? [text.key_when] : []), ...(probes.shown.length ? [probes.legend] : []),
    ...(disabled ? [] : [text.hint, ...(net.groups.some(group => group.shown.length > 1) ? [text.opens] : [])]),
    ...(!disabled && net.blocks.some(adaptable) ? [text.letters] : [])];
}

// --- drawn again after every change

function draw(root, net, data, plan, view, { chips, open, details, active, note, canUndo }) {
  const { text, disabled } = data, format = writer(data.lang, text);
  const places = view.place = layout(net, view.views, view.probes, { open, details, change: !!data.change });
  root.classList.toggle('details', details);
  view.views.forEach((row, v) => {
    if (!row.element.hidden) drawRow(row, net, plan, data, format);
    if (row.opens) {
      const opened = open.has(row.row.name);
      attrs(row.element, { 'aria-expanded': opened });
      attrs(row.opener, { 'aria-label': fill(opened ? text.close : text.open, { name: row.row.title }) });
    }
    row.element.tabIndex = v === active ? 0 : -1;
    for (const widget of [row.handle, row.rate?.element, row.pull?.element]) if (widget) widget.tabIndex = v === active && !disabled ? 0 : -1;
  });
  const shownProbes = new Set(view.views.filter(row => !row.element.hidden && row.probe).map(row => {
    row.element.after(row.probe.element);
    return row.probe;
  }));
  for (const probe of view.probes) if (!shownProbes.has(probe)) probe.element.remove();

  drawRail(net, data, plan, view, places);
  for (const key in view.chip) attrs(view.chip[key], { 'aria-pressed': reaches(net, plan, chips[key]) });
  for (const state in view.brush) view.brush[state].checked = state === (root.brush ?? 'trained');
  view.undo.disabled = !canUndo;
  view.more.box.hidden = !details || disabled;
  attrs(view.more.switcher, { 'aria-expanded': details });
  const some = learningGroups(net, plan).length;
  const sets = { gradually: () => gradual(net, plan, data.epochs), together: () => together(net, plan),
    behind: () => rates(net, plan, BEHIND), even: () => rates(net, plan, 1) };
  const enough = { gradually: some > 0, together: some > 0, behind: some > 1, even: some > 1 };
  for (const key in view.more.set) attrs(view.more.set[key], { 'aria-pressed': details && enough[key] && same(sets[key](), plan), 'aria-disabled': !some });
  view.keys.replaceChildren(...legend(net, data, details).map(words => make('span', '', words)));
  drawFacts(root, net, data, plan, view, format);
  drawWords(net, plan, view, chips, data, note);
}

function drawRail(net, { text, stores }, plan, view, places) {
  const n = plan.length, k = boundary(plan), y = heightOf(net, view.views, places, k);
  view.once.style.height = view.line.style.top = view.knob.style.top = view.each.style.top = y + 'px';
  view.line.hidden = !k || k === n;
  view.once.hidden = !k;
  view.each.hidden = k === n;
  write(view.once, y > 120 && stores ? text.once : '');
  write(view.each, places.height - y > 90 ? text.each : '');
  const weighty = indices => indices.filter(i => net.blocks[i].parameters > 0).length, all = plan.map((_, i) => i);
  attrs(view.rail, { 'aria-valuemin': 0, 'aria-valuemax': weighty(all.slice(0, net.last)), 'aria-valuenow': weighty(all.slice(0, k)),
    'aria-valuetext': fill(text.knob_at, { a: weighty(all.slice(0, k)), b: weighty(all) }) });
}

function drawFacts(root, net, data, plan, view, format) {
  const { text, conditions, epochs, rank, actual } = data, { fact } = view, { blocks } = net, k = boundary(plan);
  const parameters = sum(blocks, block => block.parameters);
  const trainable = sum(blocks, (block, i) => epochs && plan[i].from_epoch >= epochs ? 0
    : { trained: block.parameters, lora: rank * block.lora_unit, frozen: 0 }[plan[i].state]);
  const now = outlook(data, plan), count = (from, to) => sum(blocks.slice(from, to), block => block.parameters ? 1 : 0);
  const work = to => sum(blocks.slice(0, to), (block, i) => conditions ? conditions.costs.blocks[i].forward_s : block.compute);
  root.dataset.trainable = trainable;
  root.dataset.outlook = JSON.stringify(now);

  write(fact.trains.big, format.share(trainable / (parameters || 1)));
  write(fact.trains.small, fill(text.trains_of, { a: format.compact(trainable), b: format.compact(parameters) }));
  fact.trains.small.title = fill(text.trains_of, { a: format.exact(trainable), b: format.exact(parameters) });

  const unmeasured = conditions?.costs.measured ? '' : text.guessed;
  write(fact.epoch.label, conditions ? fill(now.fits ? text.fit_of : text.epoch_of, { n: format.exact(conditions.n_train) }) : text.epoch);
  write(fact.epoch.big, now && trainable ? format.times(now.first_s, now.last_s) : '–');
  write(fact.epoch.small, now ? fill(text.versus, { a: format.time(now.everything_s) }) : text.unmeasured);
  write(fact.epoch.also, now ? unmeasured : '');

  write(fact.paid.big, now?.once_s ? format.time(now.once_s) : '–');
  const paidOf = { a: count(0, k), b: count(0), p: format.roughly(work(k) / (work(blocks.length) || 1)) };
  write(fact.paid.small, conditions?.pairs ? fill(text.paired, { n: format.exact(conditions.pairs) }) : !data.stores || (k && conditions && !now.once_s) ? text.unstored
    : now?.views ? fill(text.views, { v: now.views }) : k ? fill(text.paid_of, paidOf) : now?.once_s ? text.paid_early : text.unpaid);
  write(fact.paid.also, now?.kept_bytes ? fill(text.kept, { a: format.bytes(now.kept_bytes) }) : '');

  write(fact.memory.big, now?.peak_bytes && trainable ? format.bytes(now.peak_bytes) : '–');
  write(fact.memory.small, now?.everything_bytes ? fill(text.versus, { a: format.bytes(now.everything_bytes) }) : text.unmeasured);
  if (actual) drawTook(fact, actual, text, format);
}

// What the run took, and how far off the prediction was.
function drawTook(fact, actual, text, format) {
  for (const [key, took, foreseen, say] of [
    ['epoch', actual.epoch_s, actual.predicted_epoch_s, format.time],
    ['paid', actual.once_s, actual.predicted_once_s, format.time],
    ['memory', actual.peak_bytes, actual.predicted_peak_bytes, format.bytes]]) {
    if (!took) continue;
    const off = foreseen ? took / foreseen - 1 : 0, words = Math.abs(off) < 0.005 ? 'just' : off > 0 ? 'more' : 'less';
    write(fact[key].label, text[`${key}_took`]);
    write(fact[key].big, say(took));
    write(fact[key].small, foreseen ? fill(text[words], { a: say(foreseen), p: format.small(Math.abs(off)) }) : '');
    if (key === 'epoch') write(fact[key].also, foreseen && !actual.measured ? text.guess : '');
  }
}

function drawWords(net, plan, view, chips, { text, epochs }, note) {
  const k = boundary(plan), late = plan.some((block, i) => learns(block) && epochs && block.from_epoch >= epochs && net.blocks[i].follows === undefined);
  const gap = plan.slice(k).some((block, i) => !learns(block) && net.blocks[k + i].follows === undefined);
  const byAdapters = plan.some(block => block.state === 'lora') && !plan.some((block, i) => !net.blocks[i].locked && block.state === 'trained');
  const kind = plan.every(block => !learns(block) || (epochs && block.from_epoch >= epochs)) ? 'say_none' : late ? 'say_late' : gap ? 'say_gap'
    : byAdapters ? 'say_lora' : reaches(net, plan, chips.head) ? 'say_head' : k ? 'say_some' : 'say_all';
  write(view.say, note ?? text[kind]);
  view.say.classList.toggle('bad', ['say_none', 'say_late', 'say_gap'].includes(kind));
}
