// What a plan costs: the arithmetic of core/training/costs.py, function by function. Nothing here knows of the page.
const WITHIN = 0.5, STORE_S = 1.5e-9, READ_S = 4e-10, EPOCH_S = 0.01, BUDGET_BYTES = 8 * 2 ** 30;

const sum = (rows, of) => rows.reduce((total, row, i) => total + of(row, i), 0);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

const learned = (block, state) => ({ frozen: 0, trained: 1, lora: block.share })[state];
function firstLearning(costs, states) {
  const i = states.findIndex((state, k) => state !== 'frozen' && !costs.blocks[k].bare);
  return i < 0 ? states.length : i;
}

function storedBlocks(costs, states, nItems, stores) {
  const first = firstLearning(costs, states);
  if (!stores || costs.blocks.slice(0, first).every(block => block.lookup)) return 0;
  return costs.blocks[first - 1].kept_bytes * nItems > BUDGET_BYTES ? 0 : first;
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
  return EPOCH_S + n_train * (step + feed) + n_val * (forward + feed) + Math.ceil(n_train / batch_size) * (costs.step_s + update);
}

function onceSeconds(costs, stored, nItems) {
  if (!stored) return 0;
  return nItems * (costs.item_s + sum(costs.blocks.slice(0, stored), block => block.forward_s) + costs.blocks[stored - 1].kept_bytes * STORE_S);
}

function peakBytes(costs, states, batchSize) {
  const first = firstLearning(costs, states), held = { frozen: 'passed_bytes', trained: 'held_bytes', lora: 'adapted_bytes' };
  const learns = batchSize * sum(costs.blocks, (block, i) => i < first ? 0 : block[held[states[i]]]);
  return costs.base_bytes + sum(costs.blocks, (block, i) => learned(block, states[i]) * block.state_bytes) + Math.max(learns, costs.pass_bytes);
}

// Seconds and bytes of a whole run with this plan; null where nothing is known of the conditions, memory until it was measured. What is
// stored is stored anew wherever the frozen part becomes another one. Pairs are compared first, the head alone learns behind them.
function outlook({ conditions, stores, epochs }, plan) {
  if (!conditions) return null;
  const { costs, n_train, n_val, pairs, pairs_at_once } = conditions, nItems = n_train + n_val, head = plan.length - 1;
  const atOnce = Math.min(conditions.batch_size, n_train), all = plan.map(() => 'trained');
  let pairs_s = 0, pairs_bytes = 0, later = plan;
  if (pairs) {
    const states = plan.map((block, i) => i < head && block.from_epoch <= epochs ? block.state : 'frozen');
    pairs_s = epochSeconds(costs, states, { n_train: 2 * pairs, n_val: 0, batch_size: pairs_at_once }, 0);
    pairs_bytes = peakBytes(costs, states, pairs_at_once);
    later = plan.map((block, i) => ({ ...block, state: i < head ? 'frozen' : block.state, from_epoch: 0 }));
  }
  const during = Array.from({ length: epochs }, (_, e) => later.map(block => block.from_epoch <= e ? block.state : 'frozen'));
  const stored = during.map(states => storedBlocks(costs, states, nItems, stores)), fresh = stored.filter((k, e) => k && k !== stored[e - 1]);
  const seconds = during.map((states, e) => epochSeconds(costs, states, conditions, stored[e]));
  return {
    first_s: seconds[0], last_s: seconds.at(-1), mean_s: sum(seconds, s => s) / epochs, everything_s: epochSeconds(costs, all, conditions, 0),
    once_s: pairs_s + sum(fresh, k => onceSeconds(costs, k, nItems)),
    kept_bytes: Math.max(0, ...fresh.map(k => costs.blocks[k - 1].kept_bytes * nItems)),
    peak_bytes: costs.measured ? Math.max(pairs_bytes, ...during.map(states => peakBytes(costs, states, atOnce))) : null,
    everything_bytes: costs.measured ? peakBytes(costs, all, atOnce) : null,
  };
}
