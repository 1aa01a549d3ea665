// A card for each class. What is brought is sent at once; the server knows classes by ids, their names follow at the end.
// An item: {path, file, state: waiting | sending | sent | gone}; without a file where only the server still has it, after a reload.

const AFTER_MS = 200;

// What was brought, for when the reader leaves the page and comes back without a reload: by the id of the upload.
const KEPT = globalThis.graftCollected ??= new Map();

const newId = () => 'c' + Array.from(crypto.getRandomValues(new Uint8Array(6)), byte => byte.toString(36).padStart(2, '0')).join('');

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.co');
  root.co ??= new Collect(root);
  root.co.update(data, setTriggerValue);
  return () => setTimeout(() => { if (!root.isConnected) root.co.leave(); });   // also called when only the data changed
}

class Collect {
  cards = []; removals = []; job = null; problem = null; pumping = false; timer = 0; frame = 0; phase = 'open';

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
      const there = Object.entries(answer.files).filter(([path]) => !this.removals.includes(path));
      for (const [path, size] of there) this.place({ path, file: null, size, state: 'sent' });
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
