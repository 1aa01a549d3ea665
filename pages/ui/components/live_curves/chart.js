// One chart: training, validation and the best epoch over epochs. Points are only added; what the reader zoomed stays.

let loading = null;

function loadPlotly(address) {
  return loading ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = new URL(address, document.baseURI).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { loading = null; script.remove(); reject(new Error('the chart library did not load')); };
    document.head.append(script);
  });
}

const FIRST_WINDOW = 10;   // epochs shown at first; doubled whenever the curve reaches the end
const SETTINGS = { displayModeBar: false, doubleClick: false, scrollZoom: false, showTips: false };
const [TRAIN, VAL, BEST] = [0, 1, 2];

// kind: {train, val}: names of the fields in the points of the state; {floor, ceiling, tickformat, hoverformat} of the y-axis
function chart(P, node, kind, words, look) {
  let drawn = { train: 0, epochs: 0, generation: -1 }, yRange = null, xEnd = null, zoomed = { x: false, y: false };
  const listeners = { hover() {}, unhover() {}, zoom() {}, reset() {} };
  const trace = (name, mode) => ({ type: 'scatter', x: [], y: [], name, mode, hoverlabel: { namelength: -1 } });
  const traces = [trace(words.training, 'lines'), { ...trace(words.validation, 'lines+markers'), cliponaxis: false },
                  { ...trace(words.best, 'markers'), hoverinfo: 'skip', cliponaxis: false }];
  const axis = { zeroline: false, automargin: true, ticks: '', fixedrange: false };
  const layout = {
    uirevision: 'kept', showlegend: false, hovermode: 'x unified', hoverdistance: 40,
    dragmode: matchMedia('(pointer: coarse)').matches ? false : 'zoom',   // a finger scrolls the page
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', margin: { l: 8, r: 14, t: 8, b: 8 },
    xaxis: { ...axis, showgrid: false, showspikes: true, spikemode: 'across', spikethickness: 1, spikedash: 'solid', spikesnap: 'data',
             title: { text: words.epoch, standoff: 6 }, rangemode: 'tozero', range: [0, FIRST_WINDOW],
             unifiedhovertitle: { text: words.epochAt.replace('{e}', '%{x:.1~f}') } },
    yaxis: { ...axis, tickformat: kind.tickformat, hoverformat: kind.hoverformat, range: [kind.floor ?? 0, kind.ceiling ?? 1], nticks: 6 },
  };

  // Colours of the theme, as [changes of the traces, changes of the layout]
  function painted({ ink, dim, grid, paper, font, train, val }) {
    return [{ 'line.color': [train, val, ink], 'line.width': [1.4, 2.8, 0], 'line.shape': 'linear',
              'marker.color': [train, val, ink], 'marker.size': [1, 7, 15],
              'marker.symbol': ['circle', 'circle', 'circle-open'],
              'marker.line.color': [train, paper, ink], 'marker.line.width': [0, 1, 2] },
            { 'font.color': dim, 'font.family': font, 'font.size': 12,
              'yaxis.gridcolor': grid, 'xaxis.linecolor': grid, 'xaxis.showline': true,
              'xaxis.spikecolor': dim, 'hoverlabel.bgcolor': paper, 'hoverlabel.bordercolor': grid, 'hoverlabel.font.color': ink }];
  }

  const paint = colours => P.update(node, ...painted(colours));

  function draw(state) {
    const first = drawn.generation < 0, anew = drawn.generation !== state.generation;
    if (anew) drawn = { train: 0, epochs: 0, generation: state.generation };
    const points = state.train.slice(drawn.train), ends = state.epochs.slice(drawn.epochs).filter(e => e[kind.val] !== null);
    const x = [points.map(p => p.x), ends.map(e => e.epoch)], y = [points.map(p => p[kind.train]), ends.map(e => e[kind.val])];
    if (anew) P.restyle(node, { x, y }, [TRAIN, VAL]);
    else if (points.length || ends.length) P.extendTraces(node, { x, y }, [TRAIN, VAL]);
    if (anew || state.epochs.length > drawn.epochs) ring(state);
    drawn = { train: state.train.length, epochs: state.epochs.length, generation: state.generation };
    grow(state, [...y[0], ...y[1]], first);
  }

  function ring(state) {
    const best = bestOf(state);
    const at = best && { x: best.epoch, y: best[kind.val] ?? best[kind.mean] };
    P.restyle(node, { x: [at ? [at.x] : []], y: [at ? [at.y] : []] }, [BEST]);
  }

  function grow(state, values, first) {
    yRange = grown(yRange, values, kind);
    const end = windowEnd(state, first), change = {};
    if (end !== xEnd) { xEnd = end; if (!zoomed.x) change['xaxis.range'] = [0, end]; }
    const shown = node.layout.yaxis.range;
    if (yRange && !zoomed.y && (yRange[0] !== shown[0] || yRange[1] !== shown[1])) change['yaxis.range'] = [...yRange];
    if (Object.keys(change).length) P.relayout(node, change);
  }

  function windowEnd(state, first) {
    const last = Math.max(state.train.at(-1)?.x ?? 0, state.epochs.at(-1)?.epoch ?? 0);
    if (first && state.ended) return Math.max(1, last);           // nothing will be added: no empty space
    let end = Math.max(xEnd ?? 0, Math.min(FIRST_WINDOW, state.plan?.epochs ?? FIRST_WINDOW));
    while (last > end) end = state.plan && last <= state.plan.epochs ? Math.min(2 * end, state.plan.epochs) : 2 * end;
    return end;
  }

  function whole() {
    zoomed = { x: false, y: false };
    P.relayout(node, { 'xaxis.range': [0, xEnd ?? FIRST_WINDOW], ...(yRange && { 'yaxis.range': [...yRange] }) });
  }

  function open() {
    P.newPlot(node, traces, layout, SETTINGS);
    paint(look);
    node.on('plotly_hover', e => listeners.hover(e.xvals?.[0] ?? e.points[0].x));
    node.on('plotly_unhover', () => listeners.unhover());
    node.on('plotly_doubleclick', () => listeners.reset());
    node.on('plotly_relayout', e => {   // what the reader drags comes as "range[0]", what grow() sets as "range"
      if ('yaxis.range[0]' in e) zoomed.y = true;
      if ('xaxis.range[0]' in e) { zoomed.x = true; listeners.zoom([e['xaxis.range[0]'], e['xaxis.range[1]']]); }
      else if ('yaxis.range[0]' in e) listeners.zoom(null);
    });
  }

  open();
  return {
    draw, paint, whole, listeners,
    zoomX(range) { zoomed.x = true; P.relayout(node, { 'xaxis.range': range }); },
    hoverAt(x) { P.Fx.hover(node, { xval: x }, 'xy', true); },
    unhover() { P.Fx.unhover(node, undefined, 'xy'); },
    resize() { if (node.isConnected && node.offsetWidth) P.Plots.resize(node); },
    close() { P.purge(node); },
  };
}

// Both charts answer to one pointer and show the same epochs.
function link(charts, zoomChanged) {
  let busy = false;
  for (const one of charts) {
    const others = charts.filter(other => other !== one);
    const quietly = act => { if (busy) return; busy = true; try { others.forEach(act); } finally { busy = false; } };
    one.listeners.hover = x => quietly(other => other.hoverAt(x));
    one.listeners.unhover = () => quietly(other => other.unhover());
    one.listeners.zoom = range => { if (range) others.forEach(other => other.zoomX(range)); zoomChanged(true); };
    one.listeners.reset = () => { charts.forEach(each => each.whole()); zoomChanged(false); };
  }
}
