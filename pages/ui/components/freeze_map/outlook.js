// What a plan costs, by the same arithmetic as core.training.estimate. Nothing here knows of the page.

const sum = (rows, of) => rows.reduce((total, row, i) => total + of(row, i), 0);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// Seconds and bytes of a plan under the run's `conditions`; null where these are unknown.
function outlook({ conditions, stores, rank, epochs }, blocks, plan) {
  if (!conditions) return null;
  const { costs, n_train, n_val, batch_size, kept_bytes } = conditions;
  const trains = epoch => plan.map(block => block.state !== 'frozen' && block.from_epoch <= epoch ? block.state : 'frozen');
  const firstOf = states => { const i = states.findIndex(state => state !== 'frozen'); return i < 0 ? states.length : i; };
  const share = i => blocks[i].parameters ? rank * blocks[i].lora_unit / blocks[i].parameters : 0;
  const epoch = states => {
    const first = firstOf(states);
    const step = sum(costs.blocks, (cost, i) => {
      if (i < first) return stores ? 0 : cost.forward_s;
      const thin = states[i] === 'lora', adapters = thin ? share(i) : 0;
      return cost.learn_s * (1 + adapters) + (i > first || thin ? cost.inputs_s : 0) + (states[i] === 'trained' ? cost.weights_s : 0) + 2 * adapters * cost.weights_s;
    });
    const check = sum(costs.blocks, (cost, i) => i < first && stores ? 0 : cost.forward_s);
    return n_train * step + n_val * check + costs.step_s * n_train / batch_size;
  };
  const memory = states => costs.base_bytes + batch_size * sum(costs.blocks, (cost, i) => i < firstOf(states) ? 0 : cost.held_bytes);
  const seconds = Array.from({ length: epochs }, (_, e) => epoch(trains(e))), all = plan.map(() => 'trained');
  const boundaries = stores ? [...new Set(Array.from({ length: epochs }, (_, e) => firstOf(trains(e))))].filter(k => k) : [];
  return {
    first_s: seconds[0], last_s: seconds.at(-1), mean_s: sum(seconds, s => s) / epochs, everything_s: epoch(all),
    once_s: (n_train + n_val) * sum(boundaries, k => sum(costs.blocks.slice(0, k), cost => cost.forward_s)),
    kept_bytes: (n_train + n_val) * Math.max(0, ...boundaries.map(k => kept_bytes[k - 1] ?? 0)),
    peak_bytes: memory(trains(epochs - 1)), everything_bytes: memory(all),
  };
}
