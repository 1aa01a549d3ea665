// What can be done to a plan: a list of {name, state, lr_scale, from_epoch, anchor}, one a block, input first. Plans are never changed,
// each edit gives a new one. `net` is the network: its blocks in a row, and which of them make up each group.

const RATES = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const PULLS = [0, 0.0001, 0.001, 0.01, 0.1, 1];   // L2-SP
const BEHIND = 2.6;                               // each group learns so much slower than the one behind it (Howard and Ruder 2018)

const learns = plan => plan.state !== 'frozen';
const same = (a, b) => a.length === b.length && a.every((block, i) => block === b[i] || JSON.stringify(block) === JSON.stringify(b[i]));
const boundary = plan => { const i = plan.findIndex(learns); return i < 0 ? plan.length : i; };

function network(rows) {
  const blocks = rows.flatMap((row, group) => row.parts.map(part => ({ ...part, group })));
  let from = 0;
  const groups = rows.map(row => {
    const members = row.parts.map((_, i) => from + i), shown = members.filter(i => blocks[i].parameters > 0);
    from += row.parts.length;
    const locked = row.parts.some(part => part.locked) && row.parts.every(part => part.locked || !part.parameters);
    return { ...row, members, shown: shown.length ? shown : members, locked };
  });
  groups.forEach(({ members, shown }) => members.forEach(i => {   // a block without numbers does what its neighbour does
    if (!shown.includes(i)) blocks[i].follows = shown.findLast(j => j < i) ?? shown[0];
  }));
  const first = blocks.findIndex(block => block.locked);
  return { blocks, groups, last: first < 0 ? blocks.length : first };   // `last`: the boundary goes no further
}

const adaptable = block => !block.locked && block.lora_unit > 0;
const can = (block, state) => !block.locked && (state !== 'lora' || adaptable(block));
const within = (block, state) => block.locked ? 'trained' : can(block, state) ? state : 'frozen';

// The state that some blocks share; "mixed" where they differ. Adapters stand only where they can: the rest of such a group is frozen.
function stateOf({ blocks }, plan, indices) {
  const states = new Set(indices.map(i => plan[i].state));
  if (states.size === 1) return plan[indices[0]].state;
  return indices.every(i => plan[i].state === within(blocks[i], 'lora')) ? 'lora' : 'mixed';
}

// `wanted(i)` is a state for block i. One that begins to learn takes the rate and the epoch of the pretrained blocks that do already.
function withStates(net, plan, wanted, gentle) {
  const others = plan.filter((block, i) => learns(block) && !net.blocks[i].locked);
  const joins = plan.reduce((last, block) => learns(block) ? Math.max(last, block.from_epoch) : last, 0);
  const next = plan.map((old, i) => {
    const state = net.blocks[i].locked ? old.state : wanted(i);
    if (state === old.state) return old;
    if (state === 'frozen') return { name: old.name, state, lr_scale: 1, from_epoch: 0, anchor: 0 };
    const rate = others.length ? Math.min(...others.map(block => block.lr_scale)) : gentle[state] ?? 1;
    return { name: old.name, state, lr_scale: rate, from_epoch: joins, anchor: 0 };
  });
  return led(net, plan, next);
}

function led(net, before, next) {
  return next.map((block, i) => {
    const leader = net.blocks[i].follows;
    if (leader === undefined || net.blocks[i].locked || same([before[leader]], [next[leader]])) return block;
    const { state, lr_scale, from_epoch } = next[leader], rests = { name: block.name, state: 'frozen', lr_scale: 1, from_epoch: 0, anchor: 0 };
    return state === 'trained' ? { ...rests, state, lr_scale, from_epoch } : rests;
  });
}

const painted = (net, plan, indices, state, gentle) =>
  withStates(net, plan, i => indices.includes(i) ? within(net.blocks[i], state) : plan[i].state, gentle);

const frozenTo = (net, plan, k, brush, gentle) =>
  withStates(net, plan, i => i < k ? 'frozen' : learns(plan[i]) ? plan[i].state : within(net.blocks[i], brush), gentle);

// The states behind each chip.
function targets({ blocks, groups }) {
  const head = groups.findIndex(group => group.locked), front = head < 0 ? groups.length - 1 : head;
  const from = g => blocks.map(block => block.locked || block.group >= g ? 'trained' : 'frozen');
  return { head: from(front), ...(front > 1 ? { last: from(front - 1) } : {}), all: from(0),
    ...(blocks.some(adaptable) ? { adapters: blocks.map(block => within(block, 'lora')) } : {}) };
}

const reaches = ({ blocks }, plan, states) => plan.every((block, i) => block.state === states[i] || blocks[i].follows !== undefined);

// --- when and how fast

const adjustable = (net, plan, i) => !net.blocks[i].locked && learns(plan[i]);

const changed = (net, plan, indices, change) =>
  led(net, plan, plan.map((block, i) => indices.includes(i) && adjustable(net, plan, i) ? { ...block, ...change(block, i) } : block));

// Groups with a pretrained block that learns, input first.
const learningGroups = (net, plan) => net.groups.filter(group => group.shown.some(i => adjustable(net, plan, i)));

// Gradual unfreezing: the head first, then group by group towards the input; all have joined within the first half of the run.
function gradual(net, plan, epochs) {
  const groups = learningGroups(net, plan).reverse(), half = Math.floor(epochs / 2), n = groups.length;
  const joins = r => n <= half ? r * Math.floor(half / n) : Math.ceil(r * half / n);
  return groups.reduce((next, group, r) => changed(net, next, group.members, () => ({ from_epoch: joins(r + 1) })), plan);
}

const together = (net, plan) => changed(net, plan, plan.map((_, i) => i), () => ({ from_epoch: 0 }));

// The last group keeps its rate, each one before it learns 1 / 2.6 as fast as the one behind it; or all learn as fast as the last.
function rates(net, plan, behind) {
  const groups = learningGroups(net, plan).reverse();
  if (!groups.length) return plan;
  const top = Math.max(...groups[0].shown.filter(i => adjustable(net, plan, i)).map(i => plan[i].lr_scale));
  return groups.reduce((next, group, r) => changed(net, next, group.members, () => ({ lr_scale: Number((top / behind ** r).toPrecision(3)) })), plan);
}

// The next value on a scale, up or down.
function step(scale, value, by) {
  return by > 0 ? scale.find(mark => mark > value * 1.001) ?? value : scale.findLast(mark => mark < value * 0.999) ?? value;
}

function span(plan, indices, field) {
  const values = indices.filter(i => learns(plan[i])).map(i => plan[i][field]);
  return values.length ? [Math.min(...values), Math.max(...values)] : null;
}

// Whether a plan says more than what learns: the map then opens with the details.
function says(net, plan) {
  const some = plan.filter((block, i) => adjustable(net, plan, i));
  return some.some(block => block.from_epoch || block.anchor) || new Set(some.map(block => block.lr_scale)).size > 1;
}
