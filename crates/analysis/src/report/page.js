"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const charts = {};
  // What a click on a chart does; kept apart from the chart, which is made anew when the colour scheme changes.
  const clicks = {};
  const short = (x) => (x === null || x === undefined || Number.isNaN(x) ? "–" : Number(x).toPrecision(4).replace(/\.?0+(e|$)/, "$1"));
  const symbol = (key) => ({ beta: "β", gamma: "γ" })[key] || key;
  const named = (cell, keys) => keys.filter((key) => cell.parameters[key] !== "–").map((key) => `${symbol(key)} = ${cell.parameters[key]}`).join(", ");
  const label = (cell) => named(cell, page.keys) || cell.cell;

  document.title = `${page.name} – metasweep`;
  byId("name").textContent = page.name;
  byId("what").textContent =
    `${page.cells_total} cells, ${page.rows.reduce((sum, row) => sum + row.replicas, 0)} replicas, engine ${page.engine}` +
    (page.complete ? "" : " – not complete: only what is sealed");
  byId("sweep").textContent = page.sweep;

  function chart(id) {
    if (!charts[id]) {
      charts[id] = echarts.init(byId(id), dark.matches ? "dark" : null, { renderer: "canvas" });
      if (clicks[id]) charts[id].on("click", clicks[id]);
    }
    return charts[id];
  }
  const resized = new ResizeObserver((entries) => entries.forEach((entry) => charts[entry.target.id]?.resize()));
  document.querySelectorAll(".chart").forEach((element) => resized.observe(element));
  const base = (more) => Object.assign({
    backgroundColor: "transparent", animation: false,
    grid: { left: 64, right: 24, top: 44, bottom: 56 },
    tooltip: { trigger: "axis", confine: true, renderMode: "richText", valueFormatter: short },
    toolbox: { right: 8, feature: { dataZoom: {}, restore: {}, saveAsImage: {} } },
  }, more);
  const axis = (name, more) => Object.assign({ type: "value", name, nameLocation: "middle", nameGap: 34, scale: true, axisLabel: { formatter: short } }, more);

  // Cells that differ in β alone are a panel.
  const others = page.keys.filter((key) => key !== "beta" && key !== "gamma");
  const groups = new Map();
  page.cells.forEach((cell, index) => {
    const name = named(cell, others) || "all cells";
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(index);
  });
  for (const members of groups.values()) members.sort((a, b) => page.cells[a].beta - page.cells[b].beta);

  function options(select, texts) {
    texts.forEach((text, index) => {
      const option = document.createElement("option");
      option.textContent = text; option.value = index;
      select.append(option);
    });
  }
  options(byId("observable"), page.observables);
  byId("observable").value = Math.max(0, page.observables.indexOf("pair_fraction"));
  options(byId("group"), [...groups.keys()]);
  options(byId("cell"), page.cells.map(label));

  const observable = () => page.observables[byId("observable").value];
  const members = () => [...groups.values()][byId("group").value] || [];
  const times = () => (members().length ? page.cells[members()[0]].t : []);

  const viridis = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"];

  function drawPhase() {
    const cells = members().map((index) => page.cells[index]), t = times(), points = [];
    cells.forEach((cell, y) => (cell.means[observable()] || []).forEach((value, x) => value !== null && points.push([x, y, value])));
    const values = points.map((point) => point[2]);
    chart("phase").setOption(base({
      grid: { left: 64, right: 110, top: 44, bottom: 56 },
      tooltip: { confine: true, renderMode: "richText", formatter: ({ value }) => `t = ${short(t[value[0]])}\nβ = ${short(cells[value[1]].beta)}\n${observable()} = ${short(value[2])}` },
      xAxis: { type: "category", data: t.map(short), name: "t", nameLocation: "middle", nameGap: 34 },
      yAxis: { type: "category", data: cells.map((cell) => short(cell.beta)), name: "β", nameLocation: "middle", nameGap: 46 },
      visualMap: { type: "continuous", calculable: true, min: Math.min(...values, Infinity) === Infinity ? 0 : Math.min(...values), max: values.length ? Math.max(...values) : 1, right: 8, top: "middle", inRange: { color: viridis }, formatter: short },
      series: [{ type: "heatmap", data: points, progressive: 20000,
        markLine: { symbol: "none", silent: true, lineStyle: { color: "#fff", type: "solid", width: 2 }, label: { show: false }, data: [{ xAxis: Number(byId("time").value) }] } }],
    }), true);
  }
  function drawSlice() {
    const at = Number(byId("time").value), cells = members().map((index) => page.cells[index]);
    byId("time-text").textContent = short(times()[at]);
    chart("slice").setOption(base({
      title: { text: `t = ${short(times()[at])}`, left: "center", textStyle: { fontSize: 13 } },
      xAxis: axis("β"), yAxis: axis(observable() || "", { nameGap: 46 }),
      series: [{ type: "line", symbolSize: 5, name: observable(), data: cells.map((cell) => [cell.beta, (cell.means[observable()] || [])[at]]) }],
    }), true);
  }
  function moveTime() {
    drawSlice();
    chart("phase").setOption({ series: [{ markLine: { data: [{ xAxis: Number(byId("time").value) }] } }] });
  }
  function drawGroup() {
    const slider = byId("time");
    slider.max = Math.max(0, times().length - 1);
    slider.value = Math.min(slider.value, slider.max) || Math.floor(slider.max / 2);
    drawSlice(); drawPhase();
  }
  function drawCell() {
    const cell = page.cells[byId("cell").value];
    if (!cell) return;
    // Fractions and cosines have their own axis on the right, if there are counts on the left.
    const small = (name) => cell.means[name].every((value) => value === null || Math.abs(value) <= 1.001);
    const two = page.observables.some(small) && !page.observables.every(small);
    chart("curves").setOption(base({
      legend: { type: "scroll", top: 30, left: 8, right: 8 },
      grid: { left: 64, right: two ? 64 : 24, top: 66, bottom: 56 },
      title: { show: false }, xAxis: axis("t"),
      yAxis: two ? [axis("mean over replicas", { nameGap: 46 }), axis("", { splitLine: { show: false } })] : axis("mean over replicas", { nameGap: 46 }),
      dataZoom: [{ type: "inside" }],
      series: page.observables.map((name) => ({ type: "line", name: two && small(name) ? `${name} (right)` : name, yAxisIndex: two && small(name) ? 1 : 0, showSymbol: false, data: cell.t.map((t, index) => [t, cell.means[name][index]]) })),
    }), true);
    const positive = cell.survival.every((point) => point[0] > 0);
    chart("survival").setOption(base({
      title: { text: cell.survival.length ? "share not collapsed" : "no replica collapsed", left: "center", textStyle: { fontSize: 13 } },
      xAxis: axis("t", positive && cell.survival.length ? { type: "log", min: "dataMin", max: "dataMax" } : {}), yAxis: axis("", { min: 0, max: 1 }),
      series: [{ type: "line", step: "end", showSymbol: false, name: "not collapsed", data: cell.survival }],
    }), true);
    document.querySelectorAll("#summary tbody tr").forEach((row) => row.classList.toggle("chosen", row.dataset.cell === cell.cell));
  }
  function choose(name) {
    const index = page.cells.findIndex((cell) => cell.cell === name);
    if (index >= 0) { byId("cell").value = index; drawCell(); }
  }

  const columns = [
    ["replicas", "replicas"], ["collapsed", "collapsed"], ["horizon", "horizon"], ["stationary", "stationary"], ["underflow", "underflow"], ["failed", "failed"],
    ["collapse_median", "t½"], ["collapse_median_low", "low"], ["collapse_median_high", "high"], ["collapse_log_mean", "log mean"],
    ["first_plateau_clusters", "clusters₁"], ["first_plateau_lifetime", "lifetime₁"], ["clusters_final", "clusters"],
  ];
  function table(element, heads, rows, onRow) {
    const head = element.createTHead().insertRow(), body = element.createTBody();
    let order = null, up = true;
    const fill = () => {
      body.replaceChildren();
      const sorted = order === null ? rows : [...rows].sort((a, b) => {
        const [x, y] = [a.values[order], b.values[order]];
        if (x === null || x === undefined) return 1;
        if (y === null || y === undefined) return -1;
        return (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y))) * (up ? 1 : -1);
      });
      for (const row of sorted) {
        const line = body.insertRow();
        row.values.forEach((value) => { line.insertCell().textContent = typeof value === "number" ? short(value) : value === null || value === undefined ? "–" : value; });
        if (onRow) {
          line.tabIndex = 0; line.dataset.cell = row.name;
          line.addEventListener("click", () => onRow(row.name));
          line.addEventListener("keydown", (event) => event.key === "Enter" && onRow(row.name));
        }
      }
    };
    heads.forEach((text, index) => {
      const cell = document.createElement("th"), button = document.createElement("button");
      button.textContent = text;
      button.addEventListener("click", () => { up = order === index ? !up : true; order = index; fill(); });
      cell.append(button); head.append(cell);
    });
    fill();
  }
  table(byId("summary"), [...page.keys.map(symbol), ...columns.map((column) => column[1])],
    page.rows.map((row) => ({ name: row.cell, values: [...page.keys.map((key) => row.parameters[key]), ...columns.map((column) => row[column[0]])] })), choose);
  page.notes.forEach((note) => { const item = document.createElement("li"); item.textContent = note; byId("notes").append(item); });
  if (page.failed.length) {
    table(byId("failed"), ["cell", "replica", "why", "to see it again"],
      page.failed.map((one) => ({ name: one.cell, values: [one.cell, one.replica, one.status, `metasweep replay DIR --cell ${one.cell} --replica ${one.replica} --out x.parquet`] })));
  } else byId("failed-section").hidden = true;
  table(byId("runs"), ["began", "ended", "how", "program", "processes", "hosts", "wall s", "CPU s"], page.runs.map((run) => ({ name: "", values: [
    new Date(1000 * run.started).toISOString(), run.ended ? new Date(1000 * run.ended).toISOString() : null, run.end, run.program,
    (run.processes || []).length, [...new Set((run.processes || []).map((process) => process.host))].join(" "), run.wall_seconds, run.cpu_seconds] })));

  byId("observable").addEventListener("change", drawGroup);
  byId("group").addEventListener("change", drawGroup);
  byId("time").addEventListener("input", moveTime);
  byId("cell").addEventListener("change", drawCell);
  clicks.phase = (event) => choose(page.cells[members()[event.value[1]]].cell);
  if (page.observables.length) drawGroup();
  else byId("phase-section").hidden = true;
  drawCell();
  dark.addEventListener("change", () => { Object.keys(charts).forEach((id) => { charts[id].dispose(); delete charts[id]; }); if (page.observables.length) drawGroup(); drawCell(); });
  window.addEventListener("beforeprint", () => Object.values(charts).forEach((one) => one.resize()));
})();
