// What a plan costs: the arithmetic of core/training/costs.py, function by function. Nothing here knows of the page.
const WITHIN = 0.5, STORE_S = 1.5e-9, READ_S = 4e-10, EPOCH_S = 0.01, KEEP_S = 2e-10, BUDGET_BYTES = 8 * 2 ** 30;
const FITS = 12, FIT_S = 2.7e-8, LEAST_VIEWS = 4, EPOCHS_A_VIEW = 4;

const sum = (rows, of) => rows.reduce((total, row, i) => total + of(row, i), 0);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

const learned = (block, state) => ({ frozen: 0, trained: 1, lora: block.share })[state];
function firstLearning(costs, states) {
  const i = states.findIndex((state, k) => state !== 'frozen' && !costs.blocks[k].bare);
  return i < 0 ? states.length : i;
}

function viewsOf(epochs, changed) {
  const views = changed ? Math.max(LEAST_VIEWS, Math.floor(epochs / EPOCHS_A_VIEW)) : 1;
  return changed && views >= epochs ? 0 : views;
}

function keptBytes(costs, stored) {
  return sum(stored, each => each.blocks ? each.items * costs.blocks[each.blocks - 1].kept_bytes : 0);
}

// By epoch, what is stored for it; epochs with the same part at rest share one.
function kept(costs, during, { n_train, n_val, changed }, stores) {
  const found = [], nothing = { blocks: 0, items: 0, views: 1 };
  let room = BUDGET_BYTES;
  for (let e = 0, end; e < during.length; e = end) {
    const blocks = firstLearning(costs, during[e]);
    for (end = e + 1; end < during.length && firstLearning(costs, during[end]) === blocks;) end++;
    const views = viewsOf(end - e, changed), one = { blocks, items: n_train * views + n_val, views };
    const stored = stores && views && !costs.blocks.slice(0, blocks).every(block => block.lookup) && keptBytes(costs, [one]) <= room;
    room -= stored ? keptBytes(costs, [one]) : 0;
    for (let i = e; i < end; i++) found.push(stored ? one : nothing);
  }
  return found;
}

function stepSeconds(block, state, behind) {
  if (behind < 0) return block.forward_s;
  const passed = block.learn_s + block.inputs_s * (behind ? 1 : WITHIN);
  return passed + { frozen: 0, trained: block.weights_s, lora: block.adapter_s }[state];
}

function epochSeconds(costs, states, { n_train, n_val, batch_size }, stored) {
  const first = firstLearning(costs, states), behind = costs.blocks.slice(stored);
  const forward = sum(behind, block => block.forward_s), feed = stored ? costs.blocks[stored - 1].kept_bytes * READ_S : costs.item_s;
  const step = sum(behind, (block, i) => stepSeconds(block, states[stored + i], stored + i - first));
  const update = sum(costs.blocks, (block, i) => learned(block, states[i]) * block.update_s);
  const keep = KEEP_S * sum(costs.blocks, (block, i) => learned(block, states[i]) * block.state_bytes);
  return EPOCH_S + keep + n_train * (step + feed) + n_val * (forward + feed) + Math.ceil(n_train / batch_size) * (costs.step_s + update);
}

function onceSeconds(costs, stored) {
  const most = of => Math.max(0, ...stored.map(of));
  return most(each => each.items) * (costs.item_s + sum(costs.blocks.slice(0, most(each => each.blocks)), block => block.forward_s))
    + keptBytes(costs, stored) * STORE_S;
}

function fitSeconds(costs, nTrain) {
  return EPOCH_S + nTrain * costs.blocks.at(-2).kept_bytes * FIT_S;
}

function peakBytes(costs, states, batchSize) {
  const first = firstLearning(costs, states), held = { frozen: 'passed_bytes', trained: 'held_bytes', lora: 'adapted_bytes' };
  const learns = batchSize * sum(costs.blocks, (block, i) => i < first ? 0 : block[held[states[i]]]);
  return costs.base_bytes + sum(costs.blocks, (block, i) => learned(block, states[i]) * block.state_bytes) + Math.max(learns, costs.pass_bytes);
}

// Seconds and bytes of a whole run with this plan; null where nothing is known of the conditions, memory until it was measured. All that
// is stored is computed in one pass. Pairs are compared first, the head alone learns behind them.
function outlook({ conditions, stores, epochs }, plan) {
  if (!conditions) return null;
  const { costs, n_train, n_val, pairs, pairs_at_once } = conditions, head = plan.length - 1;
  const atOnce = Math.min(conditions.batch_size, n_train), all = plan.map(() => 'trained');
  let pairs_s = 0, pairs_bytes = 0, later = plan;
  if (pairs) {
    const states = plan.map((block, i) => i < head && block.from_epoch <= epochs ? block.state : 'frozen');
    pairs_s = epochSeconds(costs, states, { n_train: 2 * pairs, n_val: 0, batch_size: pairs_at_once }, 0);
    pairs_bytes = peakBytes(costs, states, pairs_at_once);
    later = plan.map((block, i) => ({ ...block, state: i < head ? 'frozen' : block.state, from_epoch: 0 }));
  }
  const during = Array.from({ length: epochs }, (_, e) => later.map(block => block.from_epoch <= e ? block.state : 'frozen'));
  const stored = kept(costs, during, conditions, stores), fresh = [...new Set(stored)].filter(each => each.blocks);
  const alone = conditions.at_once && later.every((block, i) => i === head || block.state === 'frozen' || costs.blocks[i].bare);
  const seconds = alone ? Array(FITS).fill(fitSeconds(costs, n_train * stored[0].views))
    : during.map((states, e) => epochSeconds(costs, states, conditions, stored[e].blocks));
  const last = plan.map(block => block.from_epoch <= epochs ? block.state : 'frozen');
  const has = conditions.first_model && !last.includes('lora') && firstLearning(costs, last) < head;
  const first = has ? [{ blocks: head, items: n_train + n_val, views: 1 }] : [];
  const passes = conditions.changed ? [fresh, first] : [[...fresh, ...first]];
  return {
    first_s: seconds[0], last_s: seconds.at(-1), mean_s: sum(seconds, s => s) / seconds.length, everything_s: epochSeconds(costs, all, conditions, 0),
    once_s: pairs_s + sum(passes, each => onceSeconds(costs, each)), kept_bytes: keptBytes(costs, fresh),
    views: conditions.changed ? Math.max(0, ...fresh.map(each => each.views)) : 0, fits: alone ? FITS : 0,
    peak_bytes: costs.measured ? Math.max(pairs_bytes, ...during.map(states => peakBytes(costs, states, atOnce))) : null,
    everything_bytes: costs.measured ? peakBytes(costs, all, atOnce) : null,
  };
}
