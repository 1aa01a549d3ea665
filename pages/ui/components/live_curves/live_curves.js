// A run as it learns: joins socket, state, header and charts. Stays mounted while Python reruns; the browser does the ticking.

const TICK_MS = 1000;               // figures beside the curves change once a second, curves and bar with every message
const BACKOFF_MS = [300, 1000, 2000, 4000, 8000];
const LOST_AFTER_MS = 800;          // a shorter gap is not worth a word
const RENEW_AFTER = 3, ASK_AGAIN_MS = 3000, ASK_AT_MOST = 4;
const OVER = new Set(['ended', 'interrupted']);

function open(root, data) {
  const { text } = data, top = header(data);
  let state = blank(), offset = 0, { status, name, url, state: life } = data, send = () => {};
  let charts = [], eta = { left: null, at: 0, slower: false }, shownAt = 0, closed = false, ownTitle = null, pageTitle = '';

  // --- what stands on the page
  const panels = el('div', 'lc-panels'), legend = legendOf(text), whole = el('button', 'lc-whole', text.whole);
  const kinds = [
    { title: text.lossTitle, train: 'loss', val: 'valLoss', mean: 'trainLoss', floor: 0, ceiling: null,
      tickformat: '', hoverformat: '.3f' },
    { title: data.score, train: 'score', val: 'valScore', mean: 'trainScore', floor: null, ceiling: data.percent ? 1.02 : null,
      tickformat: data.percent ? '.0%' : '', hoverformat: data.percent ? '.0%' : '.3f' },
  ];
  const nodes = kinds.map(kind => {
    const panel = el('section', 'lc-panel'), title = el('h4', '', kind.title), frame = el('div', 'lc-frame'), node = el('div', 'lc-plot');
    title.id = `lc-title-${++serial}`;
    frame.setAttribute('role', 'img');
    frame.setAttribute('aria-labelledby', title.id);
    frame.setAttribute('aria-describedby', top.summary.id);
    frame.style.height = `${data.height}px`;
    frame.append(node); panel.append(title, frame); panels.append(panel);
    return node;
  });
  whole.type = 'button'; whole.style.visibility = 'hidden';
  const strip = el('div', 'lc-strip'); strip.append(legend, whole);
  root.replaceChildren(...top.top, strip, panels, ...top.bottom);

  // --- colours come from the theme; the page may change it at any time
  function look() {
    const style = getComputedStyle(root), read = key => style.getPropertyValue(key).trim();
    return { ink: read('--st-text-color'), grid: read('--st-border-color'), paper: read('--st-background-color'), font: read('--st-font'),
             dim: read('--lc-dim-colour'), train: read('--lc-train'), val: read('--lc-val') };
  }
  let painted = '';
  function dress() {
    root.dataset.theme = isDark(getComputedStyle(root).getPropertyValue('--st-background-color')) ? 'dark' : 'light';
    const colours = look();
    if (JSON.stringify(colours) === painted) return;
    painted = JSON.stringify(colours);
    charts.forEach(each => each.paint(colours));
  }
  dress();

  // --- showing
  function left() {
    return eta.left === null ? null : Math.max(0, eta.left - (performance.now() - eta.at) / 1000);
  }
  function pace() {
    const estimate = secondsLeft(state, data.costs), next = estimate === null ? null : steady(left(), estimate);
    if (next === null) { if (state.ended || state.preparing || status !== 'running') eta = { left: null, at: 0, slower: false }; return; }
    eta = { left: next.left, at: performance.now(), slower: next.slower || eta.slower && next.left > estimate * 0.8 };
  }
  function tick() {
    shownAt = performance.now();
    dress();
    top.show(state, status, status === 'running' ? left() : null, eta.slower);
    retitle();
  }
  function retitle() {
    const running = state.step && !state.ended && status === 'running';
    if (document.title !== ownTitle) pageTitle = document.title;
    if (running) document.title = ownTitle = `${fill(text.percent, { n: Math.floor(100 * share(state)) })} · ${name}`;
    else untitle();
  }
  function untitle() {
    if (ownTitle !== null && document.title === ownTitle) document.title = pageTitle;
    ownTitle = null;
  }
  const clock = setInterval(tick, TICK_MS);

  // --- drawing takes a third of the time at most: a long run has many points, and the page must go on answering
  let drawing = 0, drawnAt = -Infinity, cost = 0;
  function drawSoon() {
    drawing ||= setTimeout(() => {
      const began = performance.now();
      drawing = 0;
      charts.forEach(each => each.draw(state));
      drawnAt = performance.now(); cost = drawnAt - began;
    }, Math.max(0, drawnAt + 2 * cost - performance.now()));
  }

  function take(message) {
    if (message.from === 0 && offset > 0) state = { ...blank(), generation: state.generation + 1 };   // the server starts over
    else if (message.from !== offset) return;
    const before = state;
    offset = message.offset;
    state = reduce(state, message.events);
    pace();
    drawSoon();
    const turned = state.ended !== before.ended || Boolean(state.preparing) !== Boolean(before.preparing) || !before.step;
    if (turned || state.preparing || performance.now() - shownAt >= TICK_MS) tick();
    if (state.ended && !before.ended) { asked = 0; tellEnd(); }
    if (state.life !== before.life) tellMove();
  }

  // --- Python is told that the run has ended; again only while it goes on drawing it as running, and not for ever
  let asked = 0, telling = 0;
  function tellEnd() {
    if (OVER.has(status) || asked >= ASK_AT_MOST || telling) return;
    telling = setTimeout(() => {
      telling = 0; asked += 1;
      send('ended', { type: state.ended.type });
      tellEnd();
    }, asked ? ASK_AGAIN_MS : 250);
  }

  // --- and that it has become something else: paused, or running again
  let moving = 0;
  function tellMove() {
    clearTimeout(moving);
    moving = setTimeout(() => { if (life && state.life && state.life !== life) send('moved', state.life); }, 100);
  }

  // --- the socket
  let socket = null, greeted = false, fails = 0, retry = 0, lostTimer = 0, renewed = -Infinity;
  const finished = () => state.ended !== null || OVER.has(status) && greeted;
  function connect() {
    clearTimeout(retry); retry = 0;
    if (closed || socket || finished()) return;
    const address = new URL(url, document.baseURI);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    address.searchParams.set('from', offset);
    const mine = socket = new WebSocket(address);
    mine.onmessage = e => {
      if (closed || mine !== socket) return;
      greeted = true; fails = 0; clearTimeout(lostTimer); lostTimer = 0; top.lose(false);
      take(JSON.parse(e.data));
      if (finished()) hangUp();
    };
    mine.onclose = () => {
      if (closed || mine !== socket) return;
      socket = null; fails += 1;
      if (finished()) return;
      lostTimer ||= setTimeout(() => top.lose(true), LOST_AFTER_MS);
      // a refused address may only be too old: Python makes a new one
      if (fails >= RENEW_AFTER && performance.now() - renewed > 30_000) { renewed = performance.now(); send('renew', fails); }
      retry = setTimeout(connect, BACKOFF_MS[Math.min(fails - 1, BACKOFF_MS.length - 1)] * (0.8 + 0.4 * Math.random()));
    };
  }
  function hangUp() {
    const last = socket;
    socket = null;
    clearTimeout(lostTimer); lostTimer = 0; top.lose(false);
    last?.close();
  }
  const wake = () => { if (!document.hidden && retry) connect(); };
  window.addEventListener('online', wake);
  document.addEventListener('visibilitychange', wake);

  // --- the charts, as soon as their library is there
  const resized = new ResizeObserver(() => charts.forEach(each => each.resize()));
  loadPlotly(data.library).then(P => {
    if (closed) return;
    charts = nodes.map((node, i) => chart(P, node, kinds[i], text, look()));
    link(charts, yes => { whole.style.visibility = yes ? '' : 'hidden'; });
    whole.onclick = () => charts[0].listeners.reset();
    charts.forEach(each => each.draw(state));
    resized.observe(panels);
  }, error => {
    console.error(error);
    panels.replaceChildren(el('p', 'lc-bad', text.noChart));
  });

  connect();
  return {
    update(component) {
      // Python may know of the end before the last events are here: they are fetched before the line goes dead
      if (OVER.has(component.data.status) && !OVER.has(status) && !state.ended) { hangUp(); greeted = false; }
      // what had ended goes on: its owner has resumed it
      if (OVER.has(status) && !OVER.has(component.data.status)) { state = { ...state, ended: null }; asked = 0; greeted = false; }
      ({ status, name, url, state: life } = component.data);
      send = component.setTriggerValue;
      if (OVER.has(status)) { clearTimeout(telling); telling = 0; }
      if (finished()) hangUp(); else connect();
      tick();
    },
    close() {
      closed = true;
      clearInterval(clock); clearTimeout(retry); clearTimeout(lostTimer); clearTimeout(telling); clearTimeout(moving); clearTimeout(drawing);
      window.removeEventListener('online', wake);
      document.removeEventListener('visibilitychange', wake);
      resized.disconnect();
      socket?.close();
      charts.forEach(each => each.close());
      untitle();
    },
  };
}

function legendOf(text) {
  const legend = el('div', 'lc-legend');
  for (const [kind, word] of [['train', text.training], ['val', text.validation], ['best', text.best]]) {
    const item = el('span', `lc-key lc-key-${kind}`, word);
    legend.append(item);
  }
  legend.setAttribute('aria-hidden', true);
  return legend;
}

function isDark(colour) {   // the theme gives #rrggbb, or rgb(r, g, b)
  const hex = colour.trim().match(/^#([0-9a-f]{6})/i)?.[1];
  const [r, g, b] = hex ? [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16)) : (colour.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

const OPEN = new WeakMap();   // by root element: {made, live}

export default function (component) {
  const root = component.parentElement.querySelector('.lc'), { url, status, name, state, ...fixed } = component.data;
  const made = JSON.stringify([new URL(url, document.baseURI).pathname, fixed]);   // a new token alone changes nothing
  let entry = OPEN.get(root);
  if (entry?.made !== made) {
    entry?.live.close();
    OPEN.set(root, entry = { made, live: open(root, component.data) });
  }
  entry.live.update(component);
  return () => setTimeout(() => {   // also called when a rerun overtakes another: only a root that is gone is closed
    if (!root.isConnected && OPEN.get(root) === entry) { entry.live.close(); OPEN.delete(root); }
  });
}
