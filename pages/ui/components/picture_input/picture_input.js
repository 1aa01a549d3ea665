// Samples to click and a tile to drop on, paste into or open. What the user brings leaves as {sha} or {name, data: base64}.
const make = (tag, cls, text) => {
  const element = document.createElement(tag);
  element.className = cls ?? '';
  element.textContent = text ?? '';
  return element;
};

const base64 = file => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

const pictureIn = list => [...(list ?? [])].find(file => file.type.startsWith('image/')) ?? [...(list ?? [])][0];

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.pi'), t = data.text;
  const said = make('p', 'said');
  said.setAttribute('role', 'status');

  const bring = async file => {
    if (!file) return;
    if (file.size > data.max) { said.textContent = t.large; return; }
    said.textContent = '';
    setTriggerValue('picture', { name: file.name || 'picture', data: await base64(file) });
  };

  const strip = make('div', 'strip');
  for (const sample of data.samples) {
    const button = make('button'), image = make('img');
    button.type = 'button';
    button.title = t.pick.replace('{label}', () => sample.label);
    button.setAttribute('aria-label', button.title);
    image.src = new URL(sample.url, document.baseURI).href;
    image.alt = '';
    image.loading = 'lazy';
    button.append(image);
    button.onclick = () => {
      strip.querySelectorAll('button').forEach(other => other.setAttribute('aria-pressed', other === button));
      setTriggerValue('picture', { sha: sample.sha });
    };
    strip.append(button);
  }

  const tile = make('div', 'tile'), choose = make('button', 'choose', t.choose), input = make('input');
  input.type = 'file';
  input.accept = 'image/*,.heic,.heif';   // which few systems take for pictures
  input.hidden = true;
  choose.type = 'button';
  choose.onclick = () => input.click();
  input.onchange = () => { bring(input.files[0]); input.value = ''; };
  const [before, after] = t.own.split('{link}');   // where the link stands is up to the language
  tile.append(before, choose, after ?? '', input);
  tile.ondragover = event => { event.preventDefault(); tile.classList.add('over'); };
  tile.ondragleave = () => tile.classList.remove('over');
  tile.ondrop = event => { event.preventDefault(); tile.classList.remove('over'); bring(pictureIn(event.dataTransfer.files)); };

  root.replaceChildren(...(data.samples.length ? [make('p', 'head', t.samples), strip] : []), tile, said);

  const paste = event => {
    const file = pictureIn(event.clipboardData?.files);
    if (file) { event.preventDefault(); bring(file); }
  };
  document.addEventListener('paste', paste);
  return () => document.removeEventListener('paste', paste);
}
