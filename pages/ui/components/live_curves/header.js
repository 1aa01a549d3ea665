// What is read beside the curves: bar, figures, sentences and the table. Built once; show() only changes texts.

const el = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};
const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const fill = (template, values) => template.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);

const MAX_DOTS = 10;

// Figures as the reader's language writes them
function figures({ text, percent, interval }) {
  const loss = v => (v ?? null) === null ? '–' : v !== 0 && Math.abs(v) < 0.001 ? v.toExponential(1) : v.toFixed(Math.abs(v) < 1 ? 3 : 2);
  const score = v => (v ?? null) === null ? '–' : percent ? fill(text.percent, { n: Math.round(100 * v) }) : loss(v);
  const range = (v, n) => {
    if (interval !== 'wilson' || v === null || !n) return '';
    const [low, high] = wilson(v, n).map(bound => percent ? Math.round(100 * bound) : loss(bound));
    return fill(text.range, { low, high });
  };
  const time = s => s < 8 ? text.moment : s < 55 ? fill(text.s, { n: 5 * Math.round(s / 5) })
    : s < 5400 ? fill(text.min, { n: Math.max(1, Math.round(s / 60)) }) : fill(text.h, { n: (s / 3600).toFixed(1) });
  return { loss, score, range, time };
}

function header(data) {
  const { text } = data, figure = figures(data);
  const phase = el('span', 'lc-phase'), lost = el('span', 'lc-lost', text.reconnecting), done = el('span', 'lc-done');
  const line = el('div', 'lc-line'), bar = el('div', 'lc-bar'), once = el('i', 'lc-once'), each = el('i', 'lc-each');
  const under = el('div', 'lc-under');
  lost.hidden = true; once.append(el('b')); each.append(el('b')); once.hidden = true;
  bar.setAttribute('role', 'progressbar'); bar.setAttribute('aria-label', text.progress);
  bar.setAttribute('aria-valuemin', 0); bar.setAttribute('aria-valuemax', 100);
  line.append(phase, lost, done); bar.append(once, each);

  const cells = el('dl', 'lc-cells'), cell = {};
  for (const [key, label] of [['epoch', text.epoch], ['time', text.time], ['best', text.bestSoFar], ['loss', text.loss],
                              ...(data.patience ? [['patience', text.patience]] : [])]) {
    const box = el('div', 'lc-cell'), big = el('dd', 'lc-big', '–'), small = el('dd', 'lc-small');
    box.append(el('dt', '', label), big, small); cells.append(box);
    cell[key] = (a, b) => { set(big, a); set(small, b); };
    cell[key].big = big; cell[key].small = small;
  }
  const bestScore = el('span'), bestRange = el('small');
  cell.best.big.replaceChildren(bestScore, bestRange);

  const narrator = el('p', 'lc-say'), earlier = el('details', 'lc-earlier'), list = el('ol');
  narrator.setAttribute('role', 'status');
  earlier.append(el('summary', '', text.earlier), list); earlier.hidden = true;

  const folded = el('details', 'lc-table'), summary = el('p', 'lc-summary'), table = el('table'), body = el('tbody');
  table.append(el('caption', '', text.table), headRow(text, data.score), body);
  const scroll = el('div', 'lc-scroll'); scroll.tabIndex = 0; scroll.append(table);
  folded.append(el('summary', '', text.table), summary, scroll);
  summary.id = `lc-summary-${++serial}`;
  folded.ontoggle = () => fillTable();
  let known = null;

  function show(state, status, secondsShown, slower) {
    known = state;
    showProgress(state, status);
    const best = bestOf(state), ends = state.epochs.at(-1);
    cell.epoch(state.plan && state.step ? fill(text.of, { e: epochNow(state), n: state.plan.epochs }) : '–',
               state.plan && state.step ? fill(text.stepOf, { e: state.step, n: state.plan.epochs * state.plan.stepsPerEpoch }) : '');
    showTime(state, status, secondsShown, slower);
    showBest(best, state);
    const valLoss = ends?.valLoss ?? null, trainLoss = state.train.at(-1)?.loss ?? ends?.trainLoss ?? null;
    if (valLoss === null) cell.loss(figure.loss(trainLoss), trainLoss === null ? '' : text.training);
    else cell.loss(figure.loss(valLoss), fill(text.trainingIs, { loss: figure.loss(trainLoss) }));
    if (data.patience) showPatience(ends?.patienceLeft ?? data.patience, state.ended);
    showSentences(state);
    set(summary, summarise(state));
    if (folded.open) fillTable();
  }

  function showProgress(state, status) {
    set(phase, phaseOf(state, status));
    bar.dataset.still = state.ended || status !== 'running' ? 'yes' : '';
    once.hidden = !state.prepared;
    once.dataset.what = state.prepared ?? '';
    set(under, state.prepared === 'storing' ? text.once : '');
    const now = state.preparing, prep = !now ? 1 : now.total ? now.done / now.total : 0;
    once.firstChild.style.width = `${100 * prep}%`;
    each.firstChild.style.width = `${100 * share(state)}%`;
    const percent = Math.floor(100 * share(state));
    set(done, state.step ? fill(text.percent, { n: percent }) : '');
    bar.setAttribute('aria-valuenow', percent);
    bar.setAttribute('aria-valuetext', phase.textContent + (state.step ? `, ${done.textContent}` : ''));
  }

  function phaseOf(state, status) {
    const { ended, preparing } = state;
    if (ended) return ended.type === 'failed' ? ended.title : ended.type === 'discarded' ? text.discarded
      : ended.early ? text.early : ended.stopped ? text.stopped : text.done;
    if (status === 'paused') return text.paused;
    if (status === 'interrupted' || status === 'ended') return text.interrupted;
    if (status === 'queued') return text.queued;
    if (preparing) return fill(text[preparing.what] ?? text.waiting, preparing);
    if (!state.step || state.life === 'preparing') return text.waiting;
    return share(state) >= 1 ? text.finishing : text.running;
  }

  function showTime({ ended, step }, status, left, slower) {
    if (ended) cell.time(ended.seconds ? figure.time(ended.seconds) : '–', ended.seconds ? text.inAll : '');
    else if (left === null) cell.time('–', step && status === 'running' ? text.leftLater : '');
    else cell.time(figure.time(left), slower ? text.slower : text.left);
  }

  function showBest(best, state) {
    set(bestScore, best ? figure.score(scoreOf(best)) : '–');
    set(bestRange, best && best.valScore !== null ? figure.range(best.valScore, state.plan?.nVal) : '');
    set(cell.best.small, best ? fill(best.valScore === null ? text.bestTrain : text.bestAt, { score: data.score, e: best.epoch }) : '');
  }

  function showPatience(left, ended) {
    const { big } = cell.patience, dots = data.patience <= MAX_DOTS;
    big.classList.toggle('lc-dots', dots); big.ariaHidden = dots;
    cell.patience(dots ? '●'.repeat(left) + '○'.repeat(Math.max(0, data.patience - left)) : fill(text.of, { e: left, n: data.patience }),
                  ended ? '' : fill(text.stopsAfter, { n: left }));
  }

  function showSentences(state) {
    const failed = state.ended?.type === 'failed' ? [state.ended.cause, state.ended.fix].filter(Boolean).join(' ') : null;
    const said = failed === null ? state.notices : [...state.notices, failed];
    narrator.classList.toggle('lc-bad', failed !== null);
    set(narrator, said.at(-1) ?? '');
    earlier.hidden = said.length < 2;
    if (list.childElementCount !== Math.max(0, said.length - 1)) list.replaceChildren(...said.slice(0, -1).map(text => el('li', '', text)));
  }

  function summarise(state) {
    const first = state.epochs[0], last = state.epochs.at(-1), best = bestOf(state);
    if (!last) return text.noEpoch;
    const parts = [fill(text.sumTrain, { e: last.epoch, a: figure.loss(first.trainLoss), b: figure.loss(last.trainLoss) })];
    if (last.valLoss !== null) parts.push(fill(text.sumVal, { a: figure.loss(first.valLoss), b: figure.loss(last.valLoss) }));
    if (best) parts.push(fill(text.sumBest, { score: data.score, v: figure.score(scoreOf(best)), e: best.epoch }));
    return parts.join(' ');
  }

  function fillTable() {
    if (!folded.open || !known || (body.childElementCount === known.epochs.length && body.generation === known.generation)) return;
    const best = bestOf(known);
    body.generation = known.generation;
    body.replaceChildren(...known.epochs.map(e => {
      const row = el('tr', e === best ? 'lc-best' : ''), name = el('th', '', String(e.epoch));
      name.scope = 'row';
      const losses = [e.trainLoss, e.valLoss].map(figure.loss), scores = [e.trainScore, e.valScore].map(figure.score);
      row.append(name, ...[...losses, ...scores].map(value => el('td', '', value)));
      return row;
    }));
  }

  return { top: [line, bar, under, cells], bottom: [narrator, earlier, folded], summary, show, lose(yes) { lost.hidden = !yes; } };
}

let serial = 0;

function headRow(text, score) {
  const head = el('thead'), row = el('tr');
  const pairs = [text.loss, score].flatMap(what => [text.training, text.validation].map(split => `${what}, ${split}`));
  for (const name of [text.epoch, ...pairs]) {
    const cell = el('th', '', name);
    cell.scope = 'col';
    row.append(cell);
  }
  head.append(row);
  return head;
}
