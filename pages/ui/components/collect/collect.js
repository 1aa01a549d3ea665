// A card for each class. What is brought is sent at once; the server knows classes by ids, their names follow at the end.
// An item: {path, file, state: waiting | sending | sent | gone}; without a file where only the server still has it, after a reload.

const PICTURE = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf])$/i;
const SHOWN = 40, PATH_CHARS = 200, AFTER_MS = 200;

// What was brought, for when the reader leaves the page and comes back without a reload: by the id of the upload.
const KEPT = globalThis.graftCollected ??= new Map();

const isPicture = file => file.type.startsWith('image/') && file.type !== 'image/svg+xml' || PICTURE.test(file.name);
const newId = () => 'c' + Array.from(crypto.getRandomValues(new Uint8Array(6)), byte => byte.toString(36).padStart(2, '0')).join('');
const press = (cls, text, run) => { const b = make('button', cls, text); b.type = 'button'; b.onclick = run; return b; };

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.co');
  root.co ??= new Collect(root);
  root.co.update(data, setTriggerValue);
  return () => setTimeout(() => { if (!root.isConnected) root.co.leave(); });   // also called when only the data changed
}

// --- one class

class Card {
  items = new Map(); camera = null; said = ''; depth = 0; frame = 0; urls = new Map(); number = 0;

  constructor(owner, id, name) {
    Object.assign(this, { owner, id, name });
    this.element = make('section', 'card');
    const { element } = this;
    element.ondragenter = e => { e.preventDefault(); this.depth++; element.classList.add('over'); };
    element.ondragleave = () => { if (--this.depth <= 0) this.dragEnd(); };
    element.ondragover = e => { e.preventDefault(); e.dataTransfer.dropEffect = 'copy'; };
    element.ondrop = e => { e.preventDefault(); this.dragEnd(); this.look(entriesOf(e)); };
    element.addEventListener('focusin', () => owner.only(this));
  }

  dragEnd() { this.depth = 0; this.element.classList.remove('over'); }

  async look(entries) {
    try { this.bring(await dropped(entries, () => {})); }
    catch (problem) {
      console.warn('collect: what was dropped cannot be read', problem);
      this.say(fill(this.owner.data.text.unreadable, { n: this.owner.number.format(entries.length) }));
    }
  }

  // The same file again changes nothing; another one of that name gets a number.
  bring(files) {
    const seen = files.filter(({ path }) => visible(path)), pictures = seen.filter(({ file }) => isPicture(file));
    for (const { path, file } of pictures) {
      const flat = path.split('/').join(' · ').slice(-PATH_CHARS), dot = flat.lastIndexOf('.');
      for (let n = 1; ; n++) {
        const name = `${this.id}/` + (n === 1 ? flat : dot > 0 ? `${flat.slice(0, dot)} (${n})${flat.slice(dot)}` : `${flat} (${n})`);
        const there = this.items.get(name);
        if (!there) this.items.set(name, { path: name, file, size: file.size, state: 'waiting' });
        if (!there || there.size === file.size) break;
      }
    }
    const skipped = seen.length - pictures.length;
    this.say(skipped ? fill(this.owner.data.text.skipped, { n: this.owner.number.format(skipped) }) : '');
    this.changed();
  }

  shot(blob) {
    let path;
    do path = `${this.id}/camera ${String(++this.number).padStart(4, '0')}.jpg`; while (this.items.has(path));
    this.items.set(path, { path, file: blob, size: blob.size, state: 'waiting' });
    this.changed();
  }

  changed() { this.tick(); this.owner.changed(); }

  say(text) { this.said = text; this.tick(); }

  takeBack(item) {
    this.items.delete(item.path);
    this.owner.takeBack([item]);
    this.changed();
  }

  // --- the camera

  async openCamera() {
    const { text } = this.owner.data, camera = new Camera(text, blob => this.shot(blob), on => this.element.classList.toggle('recording', on));
    this.owner.only(this); this.closeCamera();
    this.camera = camera; this.say(text.opening); this.view();
    try {
      await camera.open();
      if (this.camera !== camera) return;
      this.ready = true; this.say('');
    } catch (problem) {
      if (this.camera !== camera) return;
      console.warn('collect: no camera', problem);
      this.closeCamera();
      return this.say(text[whyNoCamera(problem)]);
    }
    this.view();
    camera.button.focus();
  }

  closeCamera() {
    if (!this.camera) return;
    this.camera.close(); this.camera = null; this.ready = false; this.said = '';
    this.view();
  }

  // --- the picture

  draw() {
    const { text } = this.owner.data, top = make('div', 'top');
    this.field = Object.assign(make('input', 'name'), { type: 'text', value: this.name, maxLength: 60, spellcheck: false });
    this.field.setAttribute('aria-label', text.class_name);
    this.field.oninput = () => { this.name = this.field.value; this.titles(); this.owner.renamed(); };
    this.field.onfocus = () => this.field.select();
    this.x = press('x', '×', () => this.owner.drop(this));
    this.tally = make('p', 'tally'); this.note = make('p', 'note'); this.note.setAttribute('role', 'status');
    this.strip = make('div', 'strip'); this.stage = make('div', 'stage'); this.row = make('div', 'row');
    top.append(this.field, this.x);
    this.element.replaceChildren(top, this.stage, this.tally, this.strip, this.note, this.row);
    this.urls.forEach(url => URL.revokeObjectURL(url)); this.urls.clear();
    this.titles(); this.view(); this.paint();
  }

  titles() {
    this.element.setAttribute('aria-label', this.name);
    this.x.setAttribute('aria-label', fill(this.owner.data.text.remove, { name: this.name }));
    this.x.title = this.x.getAttribute('aria-label');
  }

  // The camera's picture or the place to drop things; and the buttons below it.
  view() {
    const { text } = this.owner.data, { camera } = this;
    if (camera && this.ready) {
      this.stage.replaceChildren(camera.video, camera.button, make('p', 'dim', text.hold_hint));
      camera.video.play().catch(() => {});
    } else {
      const place = make('div', 'place');
      place.append(make('span', 'calm', text.drop), make('span', 'hot', text.release));
      this.stage.replaceChildren(place);
    }
    this.element.classList.toggle('live', Boolean(camera && this.ready));
    const input = (cls, options) => {
      const field = Object.assign(make('input', cls), { type: 'file', hidden: true, multiple: true, ...options });
      field.onchange = () => { const files = chosen(field); field.value = ''; this.bring(files); };
      return field;
    };
    const files = input('files-input', { accept: 'image/*' }), folder = input('folder-input', { webkitdirectory: true });
    this.row.replaceChildren(press('files', text.files, () => files.click()), files, press('folder', text.folder, () => folder.click()), folder,
      camera ? press('camera', text.camera_off, () => { this.closeCamera(); this.row.querySelector('.camera').focus(); })
        : press('camera', text.camera, () => this.openCamera()));
  }

  tick() { this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.paint(); }); }

  paint() {
    const { text } = this.owner.data, n = this.items.size, format = this.owner.number;
    this.tally.textContent = n === 0 ? text.none : n === 1 ? text.one : fill(text.count, { n: format.format(n) });
    this.note.textContent = this.said;
    const held = [...this.items.values()].filter(item => item.file), shown = held.slice(-SHOWN).reverse(), old = new Map();
    for (const thumb of this.strip.querySelectorAll('.thumb')) old.set(thumb.item, thumb);
    const thumbs = shown.map((item, i) => old.get(item) ?? this.thumb(item, held.length - i));
    for (const [item, thumb] of old) if (!thumbs.includes(thumb)) { URL.revokeObjectURL(this.urls.get(item)); this.urls.delete(item); }
    const more = n - shown.length;
    this.tally.classList.toggle('none', !n);
    this.strip.replaceChildren(...thumbs, ...(more && shown.length ? [make('span', 'more', fill(text.more, { n: format.format(more) }))] : []));
  }

  thumb(item, number) {
    const { text } = this.owner.data, button = press('thumb', '', () => {
      const next = button.nextElementSibling ?? button.previousElementSibling, had = button.getRootNode().activeElement === button;
      this.takeBack(item); this.paint();
      if (had) (next?.isConnected && next.matches('button') ? next : this.row.querySelector('button')).focus();
    });
    const image = make('img'), url = URL.createObjectURL(item.file);
    this.urls.set(item, url);
    Object.assign(image, { src: url, alt: '', decoding: 'async' });
    image.onerror = () => button.classList.add('blind');  // a kind of picture that only the server reads
    button.item = item; button.append(image);
    button.setAttribute('aria-label', fill(text.take_back, { n: number }));
    button.title = item.path.slice(item.path.indexOf('/') + 1);
    return button;
  }

  leave() { this.closeCamera(); this.urls.forEach(url => URL.revokeObjectURL(url)); this.urls.clear(); }
}

// --- all of them

class Collect {
  cards = []; removals = []; job = null; problem = null; pumping = false; timer = 0; frame = 0; asked = 0; phase = 'open';

  constructor(root) {
    this.root = root;
    this.window = {
      beforeunload: e => { if (this.waiting()) e.preventDefault(); },
      // a drop that misses would make the browser open the file in place of the app
      dragover: e => { if (!e.defaultPrevented) { e.preventDefault(); e.dataTransfer.dropEffect = 'none'; } },
    };
    this.hidden = () => { if (document.hidden) this.only(null); };
    for (const name in this.window) addEventListener(name, this.window[name]);
    document.addEventListener('visibilitychange', this.hidden);
  }

  update(data, setTriggerValue) {
    const first = !this.data, said = JSON.stringify([data.text, data.lang]);
    this.setTriggerValue = setTriggerValue; this.data = data;
    if (this.job) this.job.token = data.token;
    if (said === this.said) return;
    this.said = said; this.number = new Intl.NumberFormat(data.lang);
    if (first) this.recall(); else this.draw();
  }

  leave() {
    for (const name in this.window) removeEventListener(name, this.window[name]);
    document.removeEventListener('visibilitychange', this.hidden);
    clearTimeout(this.timer); this.job?.stop.abort();
    this.cards.forEach(card => card.leave());
    KEPT.clear();
    if (this.phase !== 'done') KEPT.set(this.data.id, { items: this.items().filter(item => item.file), removals: this.removals });
  }

  // The camera is for one card at a time, and goes off when another one is used.
  only(card) { for (const other of this.cards) if (other !== card) other.closeCamera(); }

  // --- what is remembered: the pictures by the server, the names by this browser

  key() { return `graft.collect.${this.data.id}`; }

  remember() {
    const names = this.cards.map(({ id, name }) => ({ id, name }));
    try { localStorage.setItem(this.key(), JSON.stringify(names)); }
    catch (problem) { console.warn('collect: the names are not kept over a reload', problem); }
  }

  remembered() {
    try {
      const names = JSON.parse(localStorage.getItem(this.key()) ?? '[]');
      return names.filter(one => /^c\w+$/.test(one.id) && typeof one.name === 'string');
    } catch (problem) { console.warn('collect: the names of before cannot be read', problem); return []; }
  }

  newJob() {
    const { token, lang } = this.data;
    this.job = { token, lang, failed: [], again: false, stop: new AbortController(), onChange: () => this.tick() };
  }

  async recall() {
    const kept = KEPT.get(this.data.id) ?? { items: [], removals: [] };
    this.newJob(); this.startCards(this.remembered()); this.removals = kept.removals;
    for (const item of kept.items) this.place({ ...item, state: item.state === 'sent' ? 'sent' : 'waiting' });
    this.draw();
    if (!kept.items.length) {
      const { status, answer } = await request('GET', this.job, { query: { brief: 1 } });
      if (status !== 200 || !answer.n) return;
    }
    const { status, answer } = await request('GET', this.job);
    if (status === 200) {
      for (const [path, size] of Object.entries(answer.files)) if (!this.removals.includes(path)) this.place({ path, file: null, size, state: 'sent' });
      this.compare(answer, this.job);
      this.remember(); this.draw();
    }
    if (this.waiting()) this.changed();
  }

  // Into the card of its class; into a new one, or in place of an empty one, where this browser does not know the class.
  place(item) {
    const id = item.path.split('/')[0];
    let card = this.cards.find(one => one.id === id);
    if (!card) {
      card = this.cards.find(one => !one.items.size && !this.known(one)) ?? this.add('');
      card.id = id;
    }
    if (!card.items.has(item.path)) card.items.set(item.path, item);
  }

  known(card) { return this.remembered().some(one => one.id === card.id); }

  startCards(names) {
    this.cards.forEach(card => card.leave());
    this.cards = names.map(({ id, name }) => new Card(this, id, name));
    while (this.cards.length < 2) this.add('');
  }

  add(name) {
    const taken = new Set(this.cards.map(card => card.name)), free = n => fill(this.data.text.class_n, { n });
    let n = this.cards.length + 1;
    while (taken.has(free(n))) n++;
    const card = new Card(this, newId(), name || free(n));
    this.cards.push(card);
    return card;
  }

  drop(card) {
    this.cards = this.cards.filter(one => one !== card);
    this.takeBack([...card.items.values()]);
    card.leave(); this.remember(); this.draw(); this.changed();
    this.root.querySelector('.add').focus();
  }

  renamed() { clearTimeout(this.naming); this.naming = setTimeout(() => this.remember(), AFTER_MS); this.remember(); this.tick(); }

  // --- sending

  items() { return this.cards.flatMap(card => [...card.items.values()]); }

  waiting() { return this.items().filter(item => item.state !== 'sent').length + this.removals.length; }

  takeBack(items) {
    this.removals.push(...items.filter(item => item.state !== 'waiting').map(item => item.path));
    for (const item of items) item.state = 'gone';
  }

  changed() {
    this.tick();
    if (!this.timer) this.timer = setTimeout(() => { this.timer = 0; this.pump(); }, AFTER_MS);   // a burst makes few requests
  }

  async pump() {
    if (this.pumping || this.problem) return;
    const { job } = this, { signal } = job.stop;
    this.pumping = true;
    try {
      if (!job.turn) this.compare(await ask('GET', job, { signal }), job);
      while (!signal.aborted) {
        const items = this.items().filter(item => item.state === 'waiting');
        if (this.removals.length) await this.remove(job);
        else if (items.length) await this.bring(batchesOf(items)[0], job);
        else break;
      }
    } catch (problem) {
      if (!problem?.said) throw problem;
      if (job !== this.job) return;
      const { text } = this.data, { title, cause, fix } = problem.said;
      this.problem = [title || text.failed, cause, fix || text.lost].filter(Boolean).join(' ');
      this.setTriggerValue('stuck', Date.now());
    } finally {
      this.pumping = false; job.again = false; this.tick();
      if (job !== this.job && this.waiting()) this.changed();
    }
  }

  // Where the upload began anew meanwhile, in another tab, what had arrived is sent again.
  compare({ turn, files }, job) {
    if (job.stop.signal.aborted) return;
    job.turn = turn;
    for (const card of this.cards) for (const item of [...card.items.values()]) {
      if (item.state !== 'sent' || files[item.path] === item.size) continue;
      if (item.file) item.state = 'waiting'; else card.items.delete(item.path);
    }
    this.cards.forEach(card => card.tick());
  }

  async remove(job) {
    const names = this.removals.slice(0, 1000);
    await ask('DELETE', job, { body: JSON.stringify({ names }), signal: job.stop.signal });
    if (!job.stop.signal.aborted) this.removals.splice(0, names.length);
  }

  async bring(items, job) {
    for (const item of items) item.state = 'sending';
    const batch = [...items], before = job.failed.length;
    const settle = state => { for (const item of items) if (item.state === 'sending') item.state = state; };
    try { await deliver(batch, job); }
    catch (problem) { settle('waiting'); throw problem; }
    if (job.stop.signal.aborted) return settle('waiting');
    const lost = new Set(job.failed.slice(before).map(({ name }) => name));
    settle('sent');
    for (const card of this.cards) {
      const mine = [...card.items.keys()].filter(path => lost.has(path));
      for (const path of mine) card.items.delete(path);
      if (mine.length) card.say(fill(this.data.text.unreadable, { n: this.number.format(mine.length) }));
    }
  }

  retry() {
    this.problem = null;
    this.job.stop.abort();
    this.newJob(); this.changed();
    this.root.querySelector('.add').focus();
  }

  async startOver() {
    this.job.stop.abort();
    const old = this.job;
    this.newJob(); this.removals = []; this.problem = null; this.startCards([]); this.remember(); this.draw();
    await request('DELETE', old);
  }

  use() {
    this.only(null);
    this.phase = 'done'; this.tick();
    this.setTriggerValue('done', { names: Object.fromEntries(this.full().map(({ id, name }) => [id, name.trim()])) });
  }

  // --- the picture

  full() { return this.cards.filter(card => card.items.size); }

  // What is still missing before the pictures can be used; empty when nothing is.
  lack() {
    const { text, least } = this.data, full = this.full(), names = full.map(card => card.name.trim());
    const twice = names.find((name, i) => name && names.indexOf(name) < i);
    if (full.filter(card => card.items.size >= least).length < 2) return fill(text.need, { m: least });
    if (names.includes('')) return text.nameless;
    return twice ? fill(text.same, { name: twice }) : '';
  }

  draw() {
    const { root, data: { text } } = this, grid = make('div', 'cards'), foot = make('div', 'foot'), said = make('div', 'said');
    root.setAttribute('role', 'group'); root.setAttribute('aria-label', text.label);
    this.cards.forEach(card => { card.draw(); card.x.hidden = this.cards.length < 3; });
    grid.append(...this.cards.map(card => card.element), press('add', `+ ${text.add}`, () => {
      const card = this.add('');
      this.remember(); this.draw(); card.field.focus();
    }));
    this.total = make('p', 'total'); this.line = make('p', 'dim'); said.append(this.total, this.line); said.setAttribute('role', 'status');
    this.retryButton = press('retry', text.retry, () => this.retry());
    this.clearButton = press('clear', text.clear, () => this.clearButton.sure ? this.startOver() : this.askClear(true));
    this.clearButton.onblur = () => this.askClear(false);
    this.useButton = press('primary use', text.use, () => this.use());
    foot.append(said, this.retryButton, this.clearButton, this.useButton);
    root.replaceChildren(grid, foot);
    this.paint();
  }

  askClear(sure) {
    this.clearButton.sure = sure;
    this.clearButton.textContent = sure ? this.data.text.clear_really : this.data.text.clear;
  }

  tick() { this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.paint(); }); }

  paint() {
    const { text } = this.data, n = this.items().length, waiting = this.waiting(), lack = this.lack(), format = x => this.number.format(x);
    this.total.textContent = n ? fill(text.total, { n: format(n), k: format(this.full().length) }) : '';
    this.total.hidden = !n;
    const sending = waiting ? fill(text.sending, { n: format(waiting) }) : '';
    this.line.textContent = this.problem ?? (this.job.again ? text.again : lack || sending);
    this.line.classList.toggle('bad', Boolean(this.problem));
    this.retryButton.hidden = !this.problem;
    this.clearButton.hidden = !n;
    this.useButton.disabled = this.phase === 'done' || Boolean(lack || waiting || this.problem);
  }
}
