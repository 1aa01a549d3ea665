// The drop zone: takes a folder, an archive, tables or pictures and sends them. What broke off is continued when the same is chosen
// again. Phases: idle → looking → sending → done | failed. One token takes one upload.

const TABLE = /\.(csv|tsv|jsonl|parquet|xlsx)$/i;
const ACCEPT = '.zip,.tar,.gz,.tgz,.bz2,.xz,.csv,.tsv,.jsonl,.parquet,.xlsx,image/*,.heic,.heif';

// Of the one folder or file that everything belongs to, else of the one table.
function nameOf(files) {
  const tops = new Set(files.map(({ path }) => path.split('/')[0])), tables = files.filter(({ path }) => TABLE.test(path));
  const name = tops.size === 1 ? [...tops][0] : tables.length === 1 ? tables[0].path.split('/').at(-1) : '';
  return name && files.some(({ path }) => path.endsWith(name)) ? name.replace(/(\.tar)?\.\w{1,7}$/i, '') : name;
}

// --- the component

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.up');
  root.up ??= new Upload(root);
  root.up.update(data, setTriggerValue);
  return () => setTimeout(() => { if (!root.isConnected) root.up.leave(); });   // also called when only the data changed
}

class Upload {
  phase = 'idle'; job = null; problem = null; before = null; found = 0; frame = 0; turn = 0;

  constructor(root) {
    this.root = root;
    root.setAttribute('role', 'group');
    let depth = 0;                                       // dragenter and dragleave also come from the children
    const over = on => root.classList.toggle('over', on && this.open());
    root.ondragenter = e => { e.preventDefault(); depth++; over(true); };
    root.ondragleave = () => { if (--depth <= 0) { depth = 0; over(false); } };
    root.ondragover = e => { e.preventDefault(); e.dataTransfer.dropEffect = this.open() ? 'copy' : 'none'; };
    root.ondrop = e => {
      e.preventDefault(); depth = 0; over(false);
      const entries = entriesOf(e);
      if (this.open() && entries.length) this.look(entries);
    };
    this.window = {
      beforeunload: e => { if (this.phase === 'sending') e.preventDefault(); },
      // a drop that misses would make the browser open the file in place of the app
      dragover: e => { if (!e.defaultPrevented) { e.preventDefault(); e.dataTransfer.dropEffect = 'none'; } },
    };
    for (const name in this.window) addEventListener(name, this.window[name]);
  }

  open() { return this.phase === 'idle' || this.phase === 'failed'; }

  update(data, setTriggerValue) {
    const other = JSON.stringify([data.text, data.lang]) !== this.said;
    this.setTriggerValue = setTriggerValue;
    if (this.phase === 'done' && data.token !== this.data.token) this.phase = 'idle';
    else if (this.data && !other && data.token === this.data.token) return;
    const fresh = data.token !== this.data?.token;
    this.data = data; this.said = JSON.stringify([data.text, data.lang]);
    this.number = new Intl.NumberFormat(data.lang);
    if (fresh) this.before = null;
    this.draw();
    if (fresh && this.phase === 'idle') this.recall();
  }

  // What an earlier try has left here, to be continued. No answer: then there is nothing to say about it.
  async recall() {
    const { token } = this.data, { status, answer } = await request('GET', this.data, { query: { brief: 1 } });
    if (this.phase !== 'idle' || token !== this.data.token) return;
    this.before = status === 200 && answer.bytes ? answer : null;
    this.draw();
  }

  async forget() {
    this.before = null; this.draw();
    await request('DELETE', this.data);
  }

  leave() {
    for (const name in this.window) removeEventListener(name, this.window[name]);
    this.turn++; this.job?.stop?.abort();
  }

  go(phase, problem = null) { this.phase = phase; this.problem = problem; this.draw(); }

  async look(entries) {
    const turn = ++this.turn;
    this.found = 0; this.go('looking');
    try {
      const files = await dropped(entries, n => { this.found = n; this.tick(); });
      if (turn === this.turn) this.take(files);
    } catch (problem) {
      console.warn('upload: the folder cannot be read', problem);
      if (turn === this.turn) this.go('failed', { title: this.data.text.folder_failed, fix: this.data.text.unreadable_fix });
    }
  }

  async take(all) {
    const { limits, text } = this.data, turn = ++this.turn;
    const long = path => encoder.encode(path).length > limits.name_bytes;
    const why = ({ path, file }) => file.size > limits.file_bytes ? 'size' : long(path) ? 'name' : '';
    const seen = all.filter(({ path }) => visible(path)), files = seen.filter(item => !why(item));
    const failed = seen.filter(why).map(item => ({ name: item.path, why: why(item) }));
    const bytes = sum(files, ({ file }) => file.size);
    if (!seen.length) return this.go('failed', { title: text.empty, fix: text.empty_fix });
    const much = !files.length || files.length > limits.files || bytes > limits.total_bytes;
    if (much) return this.go('failed', { title: text.much, fix: this.most() });
    const { lang, piece_bytes: piece } = this.data, onChange = () => this.tick();
    this.job = { all: files, refused: failed, bytes, name: nameOf(files), lang, piece, onChange, began: performance.now() };
    this.run(turn);
  }

  async run(turn) {
    const { job } = this;
    Object.assign(job, { token: this.data.token, batches: [], large: [], here: { n: 0, bytes: 0 }, failed: [...job.refused], again: false,
      stop: new AbortController() });
    this.go('sending');
    try {
      const known = await agree(job, job.all);
      if (turn !== this.turn) return;
      this.plan(job, known);
      await send(job);
    } catch (problem) {
      if (!problem?.said) throw problem;
      const { title, cause, fix } = problem.said, { text } = this.data;
      if (turn !== this.turn) return;
      this.go('failed', { title: title || text.failed, cause, fix: fix || text.lost, again: true });
      this.setTriggerValue('stuck', Date.now());         // the page may have a new place for the next try
      return;
    }
    if (turn !== this.turn) return;
    const lost = new Set(job.failed.map(({ name }) => name)), here = job.all.filter(({ path }) => !lost.has(path));
    if (!here.length) return this.go('failed', { title: this.data.text.unreadable, fix: this.data.text.unreadable_fix });
    job.arrived = here.length;
    this.go('done');
    this.setTriggerValue('done', { n: here.length, bytes: sum(here, ({ file }) => file.size), ms: Math.round(performance.now() - job.began),
      name: job.name, failed: job.failed.slice(0, 1000) });
  }

  // What is left to send, in small batches and in large files.
  plan(job, known) {
    const have = new Map(known.parts.map(part => [part.name, part.have]));
    const rest = job.all.filter(({ path, file }) => known.files[path] !== file.size);
    job.turn = known.turn;
    job.here = { n: job.all.length - rest.length, bytes: job.bytes - sum(rest, ({ file }) => file.size) };
    job.large = rest.filter(({ file }) => file.size > job.piece).map(item => ({ ...item, have: have.get(item.path) ?? 0, loaded: 0 }));
    job.batches = batchesOf(rest.filter(({ file }) => file.size <= job.piece));
    for (const batch of job.batches) { batch.loaded = 0; batch.files = batch.length; batch.bytes = sum(batch, ({ file }) => file.size); }
  }

  cancel() { this.turn++; this.job?.stop?.abort(); this.go('idle'); this.recall(); }

  most() {
    const { text, limits } = this.data;
    return fill(text.much_fix, { files: this.number.format(limits.files), size: this.size(limits.total_bytes) });
  }

  size(bytes) {
    const [unit, digits] = bytes >= 1e9 ? [1e9, 1] : bytes >= 1e6 ? [1e6, 1] : [1e3, 0];
    const name = { 1e9: 'gigabyte', 1e6: 'megabyte', 1e3: 'kilobyte' }[unit];
    const style = { style: 'unit', unit: name, maximumFractionDigits: digits, minimumFractionDigits: digits };
    return new Intl.NumberFormat(this.data.lang, style).format(bytes / unit);
  }

  // --- the picture

  button(cls, text, run) { const b = make('button', cls, text); b.type = 'button'; b.onclick = run; return b; }

  picker(cls, text, options) {
    const input = Object.assign(document.createElement('input'), { type: 'file', hidden: true, ...options });
    input.className = cls.split(' ')[0] + '-input';
    input.onchange = () => { const files = chosen(input); input.value = ''; this.take(files); };
    return [this.button(cls, text, () => input.click()), input];
  }

  draw() {
    const { root, phase } = this, focused = root.getRootNode().activeElement, had = focused && root.contains(focused);
    const views = { idle: this.idle, looking: this.busy, sending: this.busy, done: this.done, failed: this.failed };
    root.dataset.phase = phase; root.setAttribute('aria-label', this.data.text.label);
    root.replaceChildren(...views[phase].call(this));
    if (had) root.querySelector('button')?.focus();     // the pressed button is gone; the keyboard stays here
    this.paint();
  }

  pickers() {
    const { text, single } = this.data, row = make('div', 'row');
    row.append(...(single ? this.picker('files primary', text.files, {}) : [
      ...this.picker('folder primary', text.folder, { webkitdirectory: true, multiple: true }),
      ...this.picker('files', text.files, { accept: ACCEPT, multiple: true })]));
    return row;
  }

  idle() {
    const { text } = this.data, lead = make('p', 'lead');
    lead.append(make('span', 'calm', text.drop), make('span', 'hot', text.release));
    return [drawing('folder'), lead, make('p', 'dim', text.hint), this.pickers(), ...(this.before ? [this.unfinished()] : [])];
  }

  unfinished() {
    const { text } = this.data, { n, bytes, name } = this.before, box = make('div', 'before');
    const line = n > 1 ? (name ? text.before : text.before_some) : text.before_part;
    const said = make('p', '', fill(line, { n: this.number.format(n), name, done: this.size(bytes) }));
    said.setAttribute('role', 'status');
    box.append(said, this.button('forget', text.forget, () => this.forget()));
    return box;
  }

  failed() {
    const { text } = this.data, { title, cause, fix, again } = this.problem, box = make('div', 'said');
    box.setAttribute('role', 'alert');
    box.append(make('p', 'lead', title), ...[cause, fix].filter(Boolean).map(line => make('p', 'dim', line)));
    if (!again) return [drawing('stop'), box, this.pickers()];
    const row = make('div', 'row');
    row.append(this.button('primary retry', text.retry, () => this.run(++this.turn)),
      this.button('other', text.other, () => this.cancel()));
    return [drawing('stop'), box, row];
  }

  done() {
    const lead = make('p', 'lead', fill(this.data.text.arrived, { n: this.number.format(this.job.arrived) }));
    lead.setAttribute('role', 'status');
    return [drawing('check'), lead];
  }

  busy() {
    const { text } = this.data, row = make('div', 'figures'), bar = make('div', 'bar');
    this.lead = make('p', 'lead'); this.lead.setAttribute('role', 'status');
    const sending = () => this.job.name ? fill(text.sending, { name: this.job.name }) : text.sending_some;
    this.lead.textContent = this.phase === 'looking' ? text.looking : sending();
    this.count = make('span', 'count'); this.volume = make('span', 'volume');
    bar.setAttribute('role', 'progressbar'); bar.setAttribute('aria-label', this.lead.textContent);
    bar.append(make('i')); row.append(this.count, this.volume); this.bar = bar;
    const end = make('div', 'row'); end.append(this.button('cancel', text.cancel, () => this.cancel()));
    return [this.lead, bar, row, end];
  }

  tick() { this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.paint(); }); }

  paint() {
    const { text } = this.data, n = value => this.number.format(value);
    if (this.phase === 'looking') this.count.textContent = fill(text.found, { n: n(this.found) });
    if (this.phase !== 'sending') return;
    const { batches, large, here, bytes, again } = this.job, files = this.job.all.length;
    const share = batch => batch.sent ? 1 : Math.min(0.99, batch.loaded / (batch.bytes + 1));   // a request counts when it is answered
    const sent = here.n + sum(batches, batch => Math.floor(batch.files * share(batch))) + large.filter(item => item.sent).length;
    const gone = here.bytes + sum(batches, batch => batch.bytes * share(batch))
      + sum(large, item => Math.min(item.have + item.loaded, item.file.size));
    const part = bytes ? gone / bytes : sent / files;
    this.bar.firstChild.style.width = 100 * part + '%'; this.bar.setAttribute('aria-valuenow', Math.round(100 * part));
    this.count.textContent = again ? text.again : fill(text.count, { done: n(sent), total: n(files) });
    this.volume.textContent = fill(text.volume, { done: this.size(gone), total: this.size(bytes) });
  }
}

const PATHS = {
  folder: 'M6 20v26a4 4 0 0 0 4 4h44a4 4 0 0 0 4-4V22a4 4 0 0 0-4-4H33l-5-6H10a4 4 0 0 0-4 4v4M32 42V27M25 33l7-7 7 7',
  check: 'M32 8a24 24 0 1 0 0 48 24 24 0 0 0 0-48M21 33l8 8 15-17',
  stop: 'M32 8a24 24 0 1 0 0 48 24 24 0 0 0 0-48M32 20v15M32 43v1',
};

function drawing(name) {
  const [svg, path] = ['svg', 'path'].map(tag => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.setAttribute('viewBox', '0 0 64 64'); svg.setAttribute('aria-hidden', 'true'); path.setAttribute('d', PATHS[name]);
  svg.append(path); return svg;
}
