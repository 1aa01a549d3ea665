// Takes a folder or a zip and sends its files to the upload route in small batches, three at a time.
// Phases: idle → looking → sending → done | failed. One token takes one upload.

const BATCH_FILES = 100, BATCH_BYTES = 4e6, PARALLEL = 3, PAUSES_MS = [500, 1000, 2000, 4000, 8000];
const HIDDEN = new Set(['__MACOSX', 'Thumbs.db', 'desktop.ini', '$RECYCLE.BIN']);

const make = (tag, cls, text) => { const e = document.createElement(tag); e.className = cls ?? ''; e.textContent = text ?? ''; return e; };
const fill = (template, values) => template.replace(/{(\w+)}/g, (_, key) => values[key]);
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);
const visible = path => path.split('/').every(part => part && !part.startsWith('.') && !HIDDEN.has(part));
const encoder = new TextEncoder();

// --- what was chosen: a list of {path, file}

const chosen = input => [...input.files].map(file => ({ path: file.webkitRelativePath || file.name, file }));

async function dropped(entries, tell) {
  const found = [];
  const read = async entry => {
    if (!visible(entry.fullPath.slice(1))) return;
    if (entry.isFile) {
      found.push({ path: entry.fullPath.slice(1), file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
      tell(found.length);
    } else {
      const reader = entry.createReader();
      for (;;) {                                         // a reader gives at most 100 entries at a time
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break;
        await Promise.all(some.map(read));
      }
    }
  };
  await Promise.all(entries.map(read));
  return found;
}

function nameOf(files) {
  const tops = new Set(files.map(({ path }) => path.split('/')[0]));
  return tops.size === 1 ? [...tops][0].replace(/\.\w{1,4}$/, '') : '';
}

// --- sending

function batchesOf(files) {
  const batches = [];
  let batch = [], size = 0;
  for (const item of files) {
    if (batch.length && (batch.length >= BATCH_FILES || size + item.file.size > BATCH_BYTES)) { batches.push(batch); batch = []; size = 0; }
    batch.push(item); size += item.file.size;
  }
  if (batch.length) batches.push(batch);
  return batches;
}

function framed(batch) {
  return new Blob(batch.flatMap(({ path, file }) => {
    const name = encoder.encode(path), length = new DataView(new ArrayBuffer(4)), size = new DataView(new ArrayBuffer(8));
    length.setUint32(0, name.length); size.setBigUint64(0, BigInt(file.size));
    return [length, name, size, file];
  }));
}

// Resolves to {status, answer}; status 0: no answer. XMLHttpRequest, because fetch doesn't tell how far a body has gone.
function request(method, { token, lang }, body, signal, onBytes) {
  return new Promise(resolve => {
    const xhr = new XMLHttpRequest(), address = new URL('graft/upload', document.baseURI);
    address.searchParams.set('lang', lang);
    xhr.open(method, address); xhr.setRequestHeader('x-graft-token', token);
    xhr.upload.onprogress = e => onBytes?.(e.loaded);
    xhr.onloadend = () => {
      signal?.removeEventListener('abort', stop);
      let answer = {};
      try { answer = JSON.parse(xhr.responseText); } catch { /* a proxy's page, or nothing: the status says enough */ }
      resolve({ status: xhr.status, answer });
    };
    const stop = () => xhr.abort();
    if (signal?.aborted) return resolve({ status: 0, answer: {} });
    signal?.addEventListener('abort', stop);
    xhr.send(body);
  });
}

const readable = async ({ file }) => { try { await file.slice(0, 1).arrayBuffer(); return true; } catch { return false; } };

// One attempt at all that is left. Throws {said}, the server's own words or nothing, when it can't go on; nothing when cancelled.
async function send(job, onChange) {
  const waiting = job.batches.filter(batch => !batch.sent), stop = job.stop = new AbortController();
  const worker = async () => {
    for (let batch; !stop.signal.aborted && (batch = waiting.shift());) await deliver(batch);
  };
  const deliver = async batch => {
    for (let attempt = 0; ; attempt++) {
      const body = framed(batch);
      const { status, answer } = await request('PUT', job, body, stop.signal, loaded => { batch.loaded = loaded; onChange(); });
      if (stop.signal.aborted) return;
      if (status === 200) { batch.sent = true; job.again = false; return onChange(); }
      batch.loaded = 0;
      if (status >= 400 && status < 500 && status !== 408 && status !== 429) throw { said: answer };
      const fine = await Promise.all(batch.map(readable));          // one file that vanished fails its whole batch
      job.failed.push(...batch.filter((_, i) => !fine[i]).map(({ path }) => ({ name: path, why: 'unreadable' })));
      if (fine.includes(false)) batch.splice(0, batch.length, ...batch.filter((_, i) => fine[i]));
      if (!batch.length) { batch.sent = true; return onChange(); }
      if (attempt === PAUSES_MS.length) throw { said: status ? answer : {} };
      job.again = fine.every(Boolean); onChange();
      await pause(job.again ? PAUSES_MS[attempt] : 0);
    }
  };
  try { await Promise.all(Array.from({ length: PARALLEL }, worker)); }
  catch (problem) { stop.abort(); throw problem; }
}

// --- the component

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.up');
  root.up ??= new Upload(root);
  root.up.update(data, setTriggerValue);
  return () => setTimeout(() => { if (!root.isConnected) root.up.leave(); });   // also called when only the data changed
}

class Upload {
  phase = 'idle'; job = null; problem = null; found = 0; frame = 0; turn = 0;

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
      // at once: the list dies with the event
      const entries = [...e.dataTransfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
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
    this.data = data; this.said = JSON.stringify([data.text, data.lang]);
    this.number = new Intl.NumberFormat(data.lang);
    this.draw();
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
    const batches = batchesOf(files);
    for (const batch of batches) { batch.loaded = 0; batch.files = batch.length; batch.bytes = sum(batch, ({ file }) => file.size); }
    const stale = this.job;
    const { token, lang } = this.data;
    this.job = { batches, failed, files: files.length, bytes, name: nameOf(files), token, lang, began: performance.now() };
    this.go('sending');
    if (stale) await request('DELETE', this.job);       // what an earlier try left behind is not part of this one
    if (turn === this.turn) this.run(turn);
  }

  async run(turn) {
    const { job } = this;
    this.go('sending');
    try { await send(job, () => this.tick()); }
    catch (problem) {
      if (!problem?.said) throw problem;
      const { title, cause, fix } = problem.said, { text } = this.data;
      if (turn === this.turn) this.go('failed', { title: title || text.failed, cause, fix: fix || text.lost, again: true });
      return;
    }
    if (turn !== this.turn) return;
    const sent = job.batches.flat();
    if (!sent.length) return this.go('failed', { title: this.data.text.unreadable, fix: this.data.text.unreadable_fix });
    job.sent = sent.length;
    this.go('done');
    this.setTriggerValue('done', { n: sent.length, bytes: sum(sent, ({ file }) => file.size), ms: Math.round(performance.now() - job.began),
      name: job.name, failed: job.failed.slice(0, 1000) });
  }

  cancel() { this.turn++; this.job?.stop?.abort(); this.go('idle'); }

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
    const { text } = this.data, row = make('div', 'row');
    row.append(...this.picker('folder primary', text.folder, { webkitdirectory: true, multiple: true }),
      ...this.picker('zip', text.zip, { accept: '.zip' }));
    return row;
  }

  idle() {
    const { text } = this.data, lead = make('p', 'lead');
    lead.append(make('span', 'calm', text.drop), make('span', 'hot', text.release));
    return [drawing('folder'), lead, make('p', 'dim', text.hint), this.pickers()];
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
    const lead = make('p', 'lead', fill(this.data.text.arrived, { n: this.number.format(this.job.sent) }));
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
    const { batches, files, bytes, again } = this.job;
    const share = batch => batch.sent ? 1 : Math.min(0.99, batch.loaded / (batch.bytes + 1));   // a request counts when it is answered
    const sent = sum(batches, batch => Math.floor(batch.files * share(batch)));
    const gone = sum(batches, batch => batch.bytes * share(batch)), part = bytes ? gone / bytes : sent / files;
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
