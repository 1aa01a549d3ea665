// Small pieces of the page, and how figures are written. Names reach the page through textContent only.
const ICON = {
  frozen: 'M8 1.5v13M2.4 4.7l11.2 6.6M13.6 4.7 2.4 11.3M6 2.6l2 2 2-2M6 13.4l2-2 2 2',
  trained: 'M8 1.6c.5 2.7 4.2 4.3 4.2 8.2a4.2 4.2 0 0 1-8.4 0c0-1.7.7-2.9 1.7-3.7.2 1.1.6 1.7 1.3 2C6.5 5.7 6.8 3.3 8 1.6z',
  lora: 'M4 1.8v12.4M9 1.8c5 2.1 5 4.1 1.2 6.2s-3.8 4.1 1.2 6.2',
  mixed: 'M2.5 3.5h11v9h-11zM8 3.5v9M10.2 8.2l1.8-1.8M10.2 11l1.8-1.8',
  lock: 'M4.5 7.2h7a.8.8 0 0 1 .8.8v4.7a.8.8 0 0 1-.8.8h-7a.8.8 0 0 1-.8-.8V8a.8.8 0 0 1 .8-.8zM5.6 7V5a2.4 2.4 0 0 1 4.8 0v2',
  undo: 'M5.5 3 2.5 6l3 3M3 6h6.2a3.6 3.6 0 0 1 0 7.2H6',
  knob: 'M5 6.2 8 3.2l3 3M5 9.8l3 3 3-3',
  open: 'M6 3.5 10.5 8 6 12.5',
};

const make = (tag, cls, text) => Object.assign(document.createElement(tag), { className: cls ?? '', textContent: text ?? '' });
const attrs = (element, values) => { for (const key in values) element.setAttribute(key, values[key]); return element; };
const fill = (template, values) => template.replace(/{(\w+)}/g, (_, key) => values[key]);
const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };   // what is written again is read out again

function icon(name) {
  const [svg, path] = ['svg', 'path'].map(tag => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.append(attrs(path, { d: ICON[name] }));
  return attrs(svg, { viewBox: '0 0 16 16', 'aria-hidden': true });
}

function chipButton(label, cls = 'chip') {
  return Object.assign(make('button', cls, label), { type: 'button' });
}

// A value on a scale: arrows and two small buttons move it a step. `onstep(-1 or 1)`.
function stepper(cls, label) {
  const element = attrs(make('span', 'step ' + cls), { role: 'spinbutton', 'aria-label': label });
  const less = chipButton('−', ''), more = chipButton('+', ''), value = make('b');
  for (const button of [less, more]) attrs(button, { 'aria-hidden': true, tabindex: -1 });
  element.append(less, value, more);
  element.title = label;
  const view = { element, value, onstep: () => {} };
  less.onclick = () => view.onstep(-1);
  more.onclick = () => view.onstep(1);
  element.onkeydown = event => {
    const by = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    view.onstep(by);
    event.preventDefault();
    event.stopPropagation();
  };
  return view;
}

function writer(lang, text) {
  const number = options => { const format = new Intl.NumberFormat(lang, options); return value => format.format(value); };
  const compact = number({ notation: 'compact', maximumSignificantDigits: 3 });
  const exact = number({}), tenths = number({ maximumFractionDigits: 1 });
  const three = number({ maximumSignificantDigits: 3 }), two = number({ maximumSignificantDigits: 2 });
  const percent = part => fill(text.percent, { n: three(100 * part) }), small = part => fill(text.percent, { n: two(100 * part) });
  const scaled = s => s < 90 ? ['s', s] : s < 5400 ? ['min', s / 60] : ['h', s / 3600];
  const digits = value => value < 0.05 ? '< ' + tenths(0.1) : value < 9.95 ? tenths(value) : exact(Math.round(value));
  const time = s => { if (s === null) return '–'; const [unit, value] = scaled(s); return fill(text[unit], { n: digits(value) }); };
  const times = (a, b) => {   // "0.1 → 3.3 s", "50 s → 2 min"
    if (time(a) === time(b)) return time(a);
    const [[unit, from], [last]] = [scaled(a), scaled(b)];
    return (unit === last ? digits(from) : time(a)) + ' → ' + time(b);
  };
  const bytes = n => {
    if (n === null) return '–';
    const unit = n < 1e6 ? 'kB' : n < 1e9 ? 'MB' : 'GB', value = n / { kB: 1e3, MB: 1e6, GB: 1e9 }[unit];
    return (value < 9.95 ? tenths(value) : exact(Math.round(value))) + '\u00a0' + unit;
  };
  return {
    compact, exact, time, times, bytes, two, small,
    share: part => part < 0.01 ? small(part) : percent(part < 1 ? Math.min(part, 0.999) : 1),   // "100 %" is kept for everything
    roughly: part => small(part < 1 ? Math.min(part, 0.99) : 1),
  };
}
