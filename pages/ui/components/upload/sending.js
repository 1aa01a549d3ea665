// Files to the upload route: small ones in batches, a few requests at a time; large ones in pieces, so that a broken-off one goes on.
// One more file of the components that upload; they are read one after the other.

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

// What a drop holds has to be taken at once: the list dies with its event. A file that is nowhere on the disk has no entry.
const entriesOf = event => [...event.dataTransfer.items].filter(item => item.kind === 'file')
  .map(item => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);

async function dropped(entries, tell) {
  const found = [];
  const read = async entry => {
    if (entry instanceof File) return found.push({ path: entry.name, file: entry });
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

// --- requests

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

const uint = (bytes, value) => {
  const view = new DataView(new ArrayBuffer(bytes));
  bytes === 4 ? view.setUint32(0, value) : view.setBigUint64(0, BigInt(value));
  return view;
};

function framed(batch) {
  return new Blob(batch.flatMap(({ path, file }) => {
    const name = encoder.encode(path);
    return [uint(4, name.length), name, uint(8, file.size), file];
  }));
}

function framedPiece({ path, file }, from, to) {
  const head = encoder.encode(JSON.stringify({ name: path, size: file.size, modified: file.lastModified, have: from }));
  return new Blob([uint(4, head.length), head, file.slice(from, to)]);
}

// Resolves to {status, answer}; status 0: no answer. XMLHttpRequest, because fetch doesn't tell how far a body has gone.
function request(method, { token, lang, turn }, { path = '', query = {}, body = null, signal, onBytes } = {}) {
  return new Promise(resolve => {
    const xhr = new XMLHttpRequest(), address = new URL('graft/upload' + path, document.baseURI);
    for (const [key, value] of Object.entries({ lang, ...query })) address.searchParams.set(key, value);
    xhr.open(method, address); xhr.setRequestHeader('x-graft-token', token);
    if (turn) xhr.setRequestHeader('x-graft-turn', turn);
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

const refused = status => status >= 400 && status < 500 && ![408, 409, 429].includes(status);
const readable = async ({ file }) => { try { await file.slice(0, 1).arrayBuffer(); return true; } catch { return false; } };

// The answer of the server, asked again while there is none. Throws {said}: its own words or nothing.
async function ask(method, job, options = {}) {
  for (let attempt = 0; ; attempt++) {
    const { status, answer } = await request(method, job, options);
    if (options.signal?.aborted || (status >= 200 && status < 300)) return answer;
    if (refused(status) || attempt === PAUSES_MS.length) throw { said: status ? answer : {} };
    job.again = true; job.onChange?.();
    await pause(PAUSES_MS[attempt]);
  }
}

// What the server knows of this upload, after it has been emptied if that belongs to something else than `files`.
async function agree(job, files) {
  const wanted = new Map(files.map(item => [item.path, item.file]));
  let known = await ask('GET', job, { signal: job.stop.signal });
  if (job.stop.signal.aborted) return null;
  const same = Object.entries(known.files).every(([name, size]) => wanted.get(name)?.size === size)
    && known.parts.every(({ name, size, modified }) => wanted.get(name)?.size === size && wanted.get(name).lastModified === modified);
  if (!same) {
    await ask('DELETE', job, { signal: job.stop.signal });
    known = await ask('GET', job, { signal: job.stop.signal });
  }
  job.again = false;
  return job.stop.signal.aborted ? null : known;
}

// One attempt at all that is left in job.batches and job.large. Throws {said} when it can't go on.
async function send(job) {
  const small = job.batches.filter(batch => !batch.sent), large = job.large.filter(item => !item.sent), { stop } = job;
  const worker = async () => {
    for (let next; !stop.signal.aborted && (next = small.shift());) await deliver(next, job);
    for (let next; !stop.signal.aborted && (next = large.shift());) await deliverLarge(next, job);
  };
  try { await Promise.all(Array.from({ length: PARALLEL }, worker)); }
  catch (problem) { stop.abort(); throw problem; }
}

async function deliver(batch, job) {
  const { signal } = job.stop;
  for (let attempt = 0; ; attempt++) {
    const onBytes = loaded => { batch.loaded = loaded; job.onChange(); };
    const { status, answer } = await request('PUT', job, { body: framed(batch), signal, onBytes });
    if (signal.aborted) return;
    if (status === 200) { batch.sent = true; job.again = false; return job.onChange(); }
    batch.loaded = 0;
    if (refused(status)) throw { said: answer };
    const fine = await Promise.all(batch.map(readable));          // one file that vanished fails its whole batch
    job.failed.push(...batch.filter((_, i) => !fine[i]).map(({ path }) => ({ name: path, why: 'unreadable' })));
    if (fine.includes(false)) batch.splice(0, batch.length, ...batch.filter((_, i) => fine[i]));
    if (!batch.length) { batch.sent = true; return job.onChange(); }
    if (attempt === PAUSES_MS.length) throw { said: status ? answer : {} };
    job.again = fine.every(Boolean); job.onChange();
    await pause(job.again ? PAUSES_MS[attempt] : 0);
  }
}

// Piece by piece; the server says how far it is. Another tab may be sending the same file: then both go on from where it is.
async function deliverLarge(item, job) {
  const { signal } = job.stop, { file } = item;
  for (let attempt = 0; item.have < file.size;) {
    const from = item.have, to = Math.min(from + job.piece, file.size);
    const onBytes = loaded => { item.loaded = Math.min(loaded, to - from); job.onChange(); };
    const { status, answer } = await request('PUT', job, { path: '/piece', body: framedPiece(item, from, to), signal, onBytes });
    if (signal.aborted) return;
    item.loaded = 0;
    if (refused(status)) throw { said: answer };
    if (Number.isInteger(answer.have) && answer.have !== from) {
      item.have = answer.have; attempt = 0; job.again = false; job.onChange();
      continue;
    }
    if (!await readable(item)) { job.failed.push({ name: item.path, why: 'unreadable' }); item.lost = true; break; }
    if (attempt === PAUSES_MS.length) throw { said: status ? answer : {} };
    job.again = true; job.onChange();
    await pause(PAUSES_MS[attempt++]);
  }
  item.sent = true; job.onChange();
}
