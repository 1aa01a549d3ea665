// The card of one class: its name, what was brought, its camera. Tells its owner, the whole, what changed.

const PICTURE = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf])$/i;
const SHOWN = 40, PATH_CHARS = 200;
const isPicture = file => file.type.startsWith('image/') && file.type !== 'image/svg+xml' || PICTURE.test(file.name);
const lastOf = (text, n) => [...text].slice(-n).join('');   // whole characters: a half of one would reach the server as another
const press = (cls, text, run) => { const b = make('button', cls, text); b.type = 'button'; b.onclick = run; return b; };

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

  // The same file again changes nothing; another one of that name gets a number. Of what only the server still has, no date is known.
  bring(files) {
    const seen = files.filter(({ path }) => visible(path)), pictures = seen.filter(({ file }) => isPicture(file));
    for (const { path, file } of pictures) {
      const flat = lastOf(path.split('/').join(' · '), PATH_CHARS), dot = flat.lastIndexOf('.');
      for (let n = 1; ; n++) {
        const name = `${this.id}/` + (n === 1 ? flat : dot > 0 ? `${flat.slice(0, dot)} (${n})${flat.slice(dot)}` : `${flat} (${n})`);
        const there = this.items.get(name);
        if (!there) this.items.set(name, { path: name, file, size: file.size, state: 'waiting' });
        if (!there || there.size === file.size && (!there.file || there.file.lastModified === file.lastModified)) break;
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
    const { text } = this.owner.data, onRecording = on => this.element.classList.toggle('recording', on);
    const camera = new Camera(text, blob => this.shot(blob), onRecording);
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
    const files = input('files-input', { accept: 'image/*,.heic,.heif' }), folder = input('folder-input', { webkitdirectory: true });
    this.row.replaceChildren(press('files', text.files, () => files.click()), files,
      press('folder', text.folder, () => folder.click()), folder,
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
    const more = shown.length ? n - shown.length : 0;
    this.tally.classList.toggle('none', !n);
    this.strip.replaceChildren(...thumbs, ...(more ? [make('span', 'more', fill(text.more, { n: format.format(more) }))] : []));
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
