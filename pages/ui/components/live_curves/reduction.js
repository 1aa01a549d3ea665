// Events of a run -> what is known about it. Pure: no clock, no page; nothing given in is changed.

const MAX_POINTS = 4000;   // beyond it every second training point is dropped: a screen has no more columns

const blank = () => ({
  plan: null,              // {epochs, stepsPerEpoch, nVal}, from "started"
  preparing: null,         // {what, done, total} while it lasts
  prepared: null,          // the kind of preparation that was done before the first step
  step: 0, t: null,        // newest optimizer step, time of the newest event in seconds of the server's clock
  train: [],               // {x, step, loss, score}: x in epochs, so that points flow between the ends of epochs
  epochs: [],              // {epoch, step, trainLoss, trainScore, valLoss, valScore, best, patienceLeft}
  marks: [],               // {t, step}: where the pace is measured from
  began: null,             // time of the first step since the last start
  notices: [],             // sentences, oldest first
  ended: null,             // the event that ended the run
  life: null,              // what the run is: queued, running, paused …
  generation: 0,           // rises when points that were already given change: then everything is drawn anew
});

function reduce(state, events) {
  const next = { ...state, train: [...state.train], epochs: [...state.epochs], marks: [...state.marks], notices: [...state.notices] };
  for (const event of events) {
    if (APPLY[event.type]) APPLY[event.type](next, event);
    next.t = event.t ?? next.t;
  }
  if (next.train.length > MAX_POINTS) {
    next.train = next.train.filter((_, i) => (next.train.length - 1 - i) % 2 === 0);
    next.generation += 1;
  }
  return next;
}

const ENDED = new Set(['finished', 'stopped', 'discarded', 'failed']);

const APPLY = {   // each changes the copy that reduce has made
  started(s, e) {
    s.plan = { epochs: e.epochs, stepsPerEpoch: e.steps_per_epoch, nVal: e.n_val };
    s.marks = []; s.began = null; s.ended = null;
  },
  preparing(s, e) {
    s.preparing = { what: e.what, done: e.done, total: e.total };
    if (!s.step && (e.what === 'storing' || !s.prepared)) s.prepared = e.what;
    s.marks = [];         // the pace before a pause to store says nothing about the pace after it
  },
  step(s, e) {
    if (e.step <= s.step) rewind(s, e.step, e.epoch);
    s.preparing = null; s.ended = null; s.step = e.step;
    s.began ??= e.t;
    if (!s.marks.length) s.marks.push({ t: e.t, step: e.step });
    s.train.push({ x: place(s, e.step), step: e.step, loss: e.loss, score: e.score });
  },
  epoch(s, e) {
    s.epochs = s.epochs.filter(done => done.epoch < e.epoch);
    s.epochs.push({ epoch: e.epoch, step: e.step, trainLoss: e.train_loss, trainScore: e.train_score,
                    valLoss: e.val_loss, valScore: e.val_score, best: e.best, patienceLeft: e.patience_left });
    s.marks = [...s.marks.slice(-2), { t: e.t, step: e.step }];
  },
  resumed(s, e) {
    rewind(s, e.step + 1, e.epoch + 1);
    s.step = e.step; s.ended = null; s.began = null; s.preparing = null;
  },
  state(s, e) {
    s.preparing = null; s.marks = []; s.life = e.state;
    if (e.why) s.notices.push(e.why);
    if (!ENDED.has(e.state)) s.ended = null;
  },
  notice(s, e) { s.notices.push(e.text); },
  done(s, e) { s.ended = e; s.preparing = null; },
  discarded(s, e) { s.ended = e; s.preparing = null; },
  failed(s, e) { s.ended = e; s.preparing = null; },
};

// A run that goes on from a saved state repeats its last steps: the newer figures count.
function rewind(s, step, epoch) {
  s.train = s.train.filter(point => point.step < step);
  s.epochs = s.epochs.filter(done => done.epoch < epoch);
  s.marks = []; s.generation += 1;
}

const place = (s, step) => s.plan ? step / s.plan.stepsPerEpoch : step;
const bestOf = s => s.epochs.findLast(e => e.best) ?? null;
const scoreOf = e => e.valScore ?? e.trainScore;
const epochNow = s => s.plan ? Math.min(s.plan.epochs, Math.floor(s.step / s.plan.stepsPerEpoch - 1e-9) + 1) : 0;

// Work up to a step, in the unit of `costs` (seconds expected of each epoch; where blocks join later, later epochs cost more).
function work(s, step, costs) {
  if (!costs?.length) return step;
  const at = place(s, step), whole = Math.min(costs.length, Math.floor(at));
  return costs.slice(0, whole).reduce((a, b) => a + b, 0) + (costs[whole] ?? 0) * (at - whole);
}

const allSteps = s => s.plan ? s.plan.epochs * s.plan.stepsPerEpoch : 0;

// Share of the training that is done, 0 to 1; a run that ended early is done as well.
function share(s) {
  if (s.ended?.type === 'done') return 1;
  return s.plan ? Math.min(1, s.step / allSteps(s)) : 0;
}

// Seconds left at the time of the newest event, null while two epochs or five seconds are not over. Measured over the last two epochs.
function secondsLeft(s, costs) {
  const from = s.marks[0];
  if (!from || s.ended || s.preparing || s.step <= from.step) return null;
  if (s.epochs.length < 2 && s.t - s.began < 5) return null;
  const here = work(s, s.step, costs);
  return (work(s, allSteps(s), costs) - here) * Math.max(0, s.t - from.t) / (here - work(s, from.step, costs));
}

// The figure shown falls with the clock; it rises only when the run really became slower, and then says so.
function steady(shown, estimate) {
  if (shown === null || estimate <= shown) return { left: estimate, slower: false };
  return estimate > shown * 1.3 + 4 ? { left: estimate, slower: true } : { left: shown, slower: false };
}

// Wilson's 95 % range for a rate seen in n items, as core.evaluation.intervals computes it.
function wilson(rate, n) {
  const z2 = 1.959964 ** 2 / n, centre = (rate + z2 / 2) / (1 + z2);
  const half = 1.959964 * Math.sqrt(rate * (1 - rate) / n + z2 / (4 * n)) / (1 + z2);
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

// An axis may grow, never shrink; rounded outward, so that it grows in few steps. floor, ceiling: where it ends at least, or null.
function grown(range, values, { floor, ceiling }) {
  const seen = values.filter(v => v !== null && Number.isFinite(v));
  if (!seen.length) return range;
  const least = seen.reduce((a, b) => Math.min(a, b)), most = seen.reduce((a, b) => Math.max(a, b));
  const span = Math.max(most, ceiling ?? most) - Math.min(least, floor ?? least) || Math.abs(most) || 1;
  const unit = 10 ** Math.floor(Math.log10(span)) / 2;
  const low = floor !== null && least >= floor ? floor : Math.floor(least / unit) * unit;
  const high = ceiling !== null && most <= ceiling ? ceiling : Math.ceil(most * 1.02 / unit) * unit;
  return range ? [Math.min(range[0], low), Math.max(range[1], high)] : [low, high];
}
