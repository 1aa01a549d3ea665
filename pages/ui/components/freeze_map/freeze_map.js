// The freeze map in the browser: what pointer and keys do. `data` is written by __init__.py.
const SEND_AFTER = 150;   // ms without a change
const REMEMBERED = 'graft.map.details';

function remembered() {
  try { return localStorage.getItem(REMEMBERED); } catch { return null; }   // no storage: nothing is remembered
}

function remember(details) {
  try { localStorage.setItem(REMEMBERED, details ? '1' : '0'); } catch { /* as above */ }
}

export default function mount(component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector('.fm'), { plan: given, ...rest } = data, { rows, disabled, text, gentle, epochs } = data;
  const signature = JSON.stringify(disabled ? data : rest);
  root.send = plan => setStateValue('edit', { rev: data.rev, plan });
  if (root.signature === signature) return;   // the same map: keep what is being edited
  root.waiting = root.matches('.drag') ? () => mount(component) : null;
  if (root.waiting) return;                   // don't take the knob out of the hand
  root.signature = signature;
  const net = network(rows), chips = targets(net);
  if (!disabled && (root.rev !== data.rev || root.plan.length !== given.length)) {
    clearTimeout(root.timer);                 // an unsent edit of the plan before
    const brush = given.some(block => block.state === 'lora') ? 'lora' : 'trained';
    Object.assign(root, { rev: data.rev, plan: given, past: [], timer: 0, brush });
  }
  root.open ??= new Set();                    // names of the groups whose blocks are seen
  root.details ??= { 1: true, 0: false }[remembered()] ?? (!data.change && says(net, given));
  const focusable = () => [...root.querySelectorAll('[tabindex], button, input')];
  const focused = focusable().indexOf(root.getRootNode().activeElement);

  const view = build(root, net, data, chips), { views } = view;
  let active = clamp(root.active ?? 0, 0, views.length - 1), anchor = active, note = null;
  if (views[active].inner && !root.open.has(net.groups[views[active].group].name)) active = anchor = 0;
  const plan = () => disabled ? given : root.plan;
  const show = () => draw(root, net, data, plan(), view, { chips, open: root.open, details: root.details && !data.change, active, note,
    canUndo: !disabled && root.past.length > 0 });
  show();
  focusable()[focused]?.focus({ preventScroll: true });

  // --- edits

  const flush = () => { if (root.timer) { clearTimeout(root.timer); root.timer = 0; root.send(root.plan); } };
  function become(next, before = root.plan) {
    note = null;
    if (same(next, before)) return show();
    root.past.push(before);
    root.plan = next;
    show();
    clearTimeout(root.timer);
    root.timer = setTimeout(flush, SEND_AFTER);
  }
  function undo() {
    if (!root.past.length) return;
    const before = root.past.pop();
    become(before);
    root.past.pop();                          // going back is no step of its own
    show();
  }
  function refuse(words) { note = words; show(); }
  const stateAt = v => stateOf(net, root.plan, net.groups[views[v].group].shown.filter(i => views[v].indices.includes(i)));
  const covered = (v, w) => views.filter((row, i) => (i - v) * (i - w) <= 0 && !row.element.hidden).flatMap(row => row.indices);
  function paint(v, state) {
    anchor = v;
    const { row, indices } = views[v];
    if (indices.some(i => can(net.blocks[i], state))) become(painted(net, root.plan, indices, state, gentle));
    else refuse(row.locked ? text.locked : text.bare);
  }
  const toggle = v => paint(v, stateAt(v) === root.brush ? 'frozen' : root.brush);
  function range(v) {
    const state = stateAt(anchor);
    become(painted(net, root.plan, covered(anchor, v), state === 'mixed' ? root.brush : state, gentle));
  }

  function unfold(v, opened) {
    const { row, group } = views[v];
    if (opened) root.open.add(row.name); else root.open.delete(row.name);
    if (!opened && views[active].inner && views[active].group === group) root.active = active = anchor = v;
    show();
  }
  function reveal() {
    root.details = !root.details;
    remember(root.details);
    show();
  }
  views.forEach((row, v) => { row.opener.onclick = event => { unfold(v, !root.open.has(row.row.name)); event.stopPropagation(); }; });
  view.more.switcher.onclick = reveal;

  root.onpointerleave = flush;                // the page's next button never overtakes the last click
  root.onfocusout = event => { if (!root.contains(event.relatedTarget)) flush(); };

  const handled = event => { event.preventDefault(); event.stopPropagation(); };   // Streamlit has letter keys of its own
  const enter = v => { root.active = active = v; show(); views[v].element.focus(); };
  const seen = () => view.place.seen;
  function walk(event) {                      // what also works on a map that only shows
    const at = seen().indexOf(active), { opens, inner, group, row } = views[active], opened = opens && root.open.has(row.name);
    const to = { ArrowDown: seen()[at + 1], ArrowUp: seen()[at - 1], Home: seen()[0], End: seen().at(-1) }[event.key];
    if (event.key === 'ArrowRight' && opens) { if (opened) enter(active + 1); else unfold(active, true); }
    else if (event.key === 'ArrowLeft' && opened) unfold(active, false);
    else if (event.key === 'ArrowLeft' && inner) enter(views.findIndex(other => other.group === group));
    else if (event.key.startsWith('Arrow') || event.key === 'Home' || event.key === 'End') {
      if (to !== undefined && !event.shiftKey) { anchor = to; enter(to); }
      else if (to !== undefined && !disabled) { enter(to); range(to); }
    } else return false;
    return true;
  }
  const plain = event => !event.ctrlKey && !event.metaKey && !event.altKey;
  view.list.onkeydown = event => {
    if (!plain(event)) return;
    const state = { f: 'frozen', t: 'trained', l: 'lora' }[event.key.toLowerCase()];
    if (walk(event)) return handled(event);
    if (disabled) return;
    if (event.key === ' ' || event.key === 'Enter') toggle(active);
    else if (state) paint(active, state);
    else return;
    handled(event);
  };
  views.forEach(({ element }, v) => { element.onfocus = () => { if (active !== v) { root.active = active = v; show(); } }; });
  if (disabled) { root.onkeydown = null; return; }

  root.onkeydown = event => { if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z') { undo(); handled(event); } };
  view.undo.onclick = undo;
  for (const key in view.chip) {
    view.chip[key].onclick = () => {
      if (key !== 'head') root.brush = key === 'adapters' ? 'lora' : 'trained';
      become(withStates(net, root.plan, i => chips[key][i], gentle));
    };
  }
  for (const state in view.brush) view.brush[state].onchange = () => { root.brush = state; };
  const sets = { gradually: () => gradual(net, root.plan, epochs), together: () => together(net, root.plan),
    behind: () => rates(net, root.plan, BEHIND), even: () => rates(net, root.plan, 1) };
  for (const key in view.more.set) {
    view.more.set[key].onclick = () => learningGroups(net, root.plan).length ? become(sets[key]()) : refuse(text.nothing_to_set);
  }

  views.forEach(({ element, indices, handle, rate, pull, when }, v) => {
    element.onclick = event => {
      element.focus({ preventScroll: true });
      if (event.shiftKey) range(v); else toggle(v);
    };
    if (!handle) return;
    const set = change => become(changed(net, root.plan, indices, change));
    rate.onstep = by => set(block => ({ lr_scale: step(RATES, block.lr_scale, by) }));
    pull.onstep = by => set(block => block.state === 'trained' ? { anchor: step(PULLS, block.anchor, by) } : {});
    for (const widget of [handle, rate.element, pull.element]) {
      widget.onclick = event => event.stopPropagation();
      widget.onfocus = event => { event.stopPropagation(); if (active !== v) { root.active = active = v; show(); } };
    }
    slide(handle, when, indices);
  });

  // The left end of an epoch line, by pointer and by keys.
  function slide(handle, line, indices) {
    const now = () => span(root.plan, indices, 'from_epoch')[0];
    const joining = (epoch, from) => changed(net, from, indices, () => ({ from_epoch: clamp(epoch, 0, epochs - 1) }));
    handle.onkeydown = event => {
      const to = { ArrowRight: now() + 1, ArrowUp: now() + 1, ArrowLeft: now() - 1, ArrowDown: now() - 1, Home: 0, End: epochs - 1,
        PageUp: now() + 5, PageDown: now() - 5 }[event.key];
      if (to !== undefined) { become(joining(to, root.plan)); handled(event); }
    };
    handle.onpointerdown = event => drag(event, handle, e => {
      const { left, width } = line.getBoundingClientRect();
      return before => joining(Math.round((e.clientX - left) / width * epochs), before);
    });
  }

  // Follow a pointer until it lets go: `at(event)` says what it makes of the plan as it was before.
  function drag(event, element, at) {
    const before = root.plan;
    const move = e => { const next = at(e)(before); if (!same(next, root.plan)) { root.plan = next; note = null; show(); } };
    element.setPointerCapture(event.pointerId);
    root.classList.add('drag');
    element.onpointermove = move;
    element.onpointerup = element.onpointercancel = () => {
      element.onpointermove = element.onpointerup = element.onpointercancel = null;
      root.classList.remove('drag');
      become(root.plan, before);
      root.waiting?.();
    };
    event.stopPropagation();
    return move;
  }

  const cut = (k, before = root.plan) => frozenTo(net, before, k, root.brush, gentle);
  view.rail.onkeydown = event => {
    const marks = [...new Set(view.place.stops.map(([, k]) => k))].filter(k => k <= net.last), k = boundary(root.plan);
    const to = { ArrowDown: marks.find(mark => mark > k), ArrowUp: marks.findLast(mark => mark < k), Home: 0, End: net.last }[event.key];
    if (to !== undefined) become(cut(to));
    if (to !== undefined || event.key.startsWith('Arrow')) handled(event);
  };
  view.rail.onpointerdown = event => drag(event, view.rail, e => {
    const y = e.clientY - view.rail.getBoundingClientRect().top, stops = view.place.stops.filter(([, k]) => k <= net.last);
    const nearest = stops.reduce((best, stop) => Math.abs(stop[0] - y) < Math.abs(best[0] - y) ? stop : best);
    return before => cut(nearest[1], before);
  })(event);
}
