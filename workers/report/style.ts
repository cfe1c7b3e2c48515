/** The report's only style: fits a phone, a wide screen and paper; follows the reader's light or dark setting. */
export const STYLE = `
:root{--ink:#16202c;--soft:#5b6875;--line:#dfe4ea;--paper:#fff;--panel:#f6f8fa;--good:#0a7d4f;--bad:#b42318;--warn:#8a5a00;--before:#8794a3;--after:#1f6feb;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b5;--line:#2c3641;--paper:#0f151c;--panel:#18212b;--good:#4cc38a;--bad:#ff7b72;--warn:#e3b341;--before:#6b7886;--after:#58a6ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.5rem;line-height:1.2;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.5rem 0 .75rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .5rem}
p{margin:.5rem 0}
.soft{color:var(--soft)}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.verdict{border:1px solid var(--line);border-left:6px solid var(--good);background:var(--panel);border-radius:6px;padding:.75rem 1rem;margin:1rem 0}
.verdict.rejected{border-left-color:var(--bad)}
.verdict strong{font-size:1.1rem}
.verdict ul{margin:.5rem 0 0;padding:0;list-style:none}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.25rem,1fr));gap:.6rem;margin:1rem 0}
.card{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.65rem .8rem}
.card .name{font-size:.8rem;color:var(--soft)}
.card .now{font-size:1.35rem;font-weight:650;line-height:1.25}
.card .was{font-size:.85rem;color:var(--soft)}
.card .change{font-size:.85rem;font-weight:600}
.wide{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:right;padding:.35rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:7.5rem}
th{font-weight:600;color:var(--soft)}
td.good{color:var(--good)}td.bad{color:var(--bad)}
.words td,.words th{text-align:left;white-space:normal;overflow-wrap:anywhere}
svg{display:block;max-width:100%;height:auto}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}
svg .soft{fill:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem}
figure{margin:0;break-inside:avoid}
figcaption{font-size:.85rem;color:var(--soft);margin:.25rem 0 .5rem;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.4rem}
.samples{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:1rem}
.samples svg{width:100%;border-radius:4px;background:var(--panel)}
.found{font-size:.8rem;color:var(--soft);margin:.2rem 0 0}
.keys{font-size:.9rem;display:flex;flex-wrap:wrap;gap:.2rem 1rem}
ol.top{margin:0;padding-left:1.2rem;font-size:.85rem}
pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.75rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
details summary{cursor:pointer;color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;vertical-align:-.05em;margin-right:.3em}
@media (max-width:36rem){.stack,.stack tbody{display:block}.stack thead{display:none}.stack tr{display:grid;grid-template-columns:repeat(3,1fr);gap:.35rem .5rem;padding:.6rem 0;border-bottom:1px solid var(--line)}.stack td,.words td{border:0;padding:0;text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:0}.stack td::before{content:attr(data-label);display:block;font-size:.75rem;color:var(--soft)}.stack td:first-child,.stack .alone{grid-column:1/-1}.stack td:first-child{font-weight:600}.stack td:first-child::before{display:none}.stack .alone::before{display:inline;margin-right:.4em}}
@media (max-width:30rem){body{font-size:15px}dl{grid-template-columns:1fr}dt{margin-top:.4rem}th,td{padding:.35rem .4rem}}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--panel:#fff;--good:#0a7d4f;--bad:#b42318;--before:#8794a3;--after:#1f6feb;color-scheme:light}main{max-width:none;padding:0}h2,h3,h2+p,h3+p{break-after:avoid}h2{margin-top:1.5rem}thead{display:table-header-group}figure,.keys{break-inside:avoid}.charts,.samples{grid-template-columns:1fr 1fr}.cards{grid-template-columns:repeat(3,1fr)}pre{white-space:pre-wrap}.card,.verdict,tr{break-inside:avoid}body{font-size:11pt}}
`;
