"""The style sheet of the HTML report; every rule is under .hlmbayes, so that a notebook's own style stays."""

CSS = """
.hlmbayes { --line: color-mix(in srgb, currentColor 22%, transparent);
  --tint: color-mix(in srgb, currentColor 5%, transparent); --warn: #c2410c; --info: #2563eb;
  max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: break-word;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif }
.hlmbayes h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem }
.hlmbayes h2 { font-size: 1.2rem; margin: 2.2rem 0 .8rem; padding-bottom: .25rem;
  border-bottom: 2px solid var(--line) }
.hlmbayes h3 { font-size: 1rem; margin: 0 0 .25rem }
.hlmbayes p { margin: .4rem 0; max-width: 46rem }
.hlmbayes dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .6rem 1.5rem;
  margin: .5rem 0 1rem }
.hlmbayes dt { font-size: .85rem; opacity: .75 }
.hlmbayes dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.hlmbayes .equations { margin: 1rem 0; padding: .8rem 1rem; background: var(--tint); border-radius: .4rem;
  font-family: "Cambria Math", Cambria, "STIX Two Text", Georgia, serif; overflow-x: auto }
.hlmbayes .equations p { margin: .15rem 0; max-width: none }
.hlmbayes .equations .level { font: 600 .8rem/1.6 system-ui, sans-serif; opacity: .75; margin-top: .4rem }
.hlmbayes .scroll { overflow-x: auto; margin: 1.4rem 0 .4rem }
.hlmbayes table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .95rem;
  margin: 0 }
.hlmbayes caption { caption-side: top; text-align: left; font-weight: 600; padding: 0 0 .4rem;
  color: inherit; white-space: nowrap }
.hlmbayes th, .hlmbayes td { padding: .28rem .6rem; text-align: left; font-weight: 400; white-space: nowrap;
  border: 0; background: none }
.hlmbayes thead th { font-size: .85rem; font-weight: 600; border-bottom: 1px solid currentColor;
  vertical-align: bottom }
.hlmbayes tbody tr { border-bottom: 1px solid var(--line) }
.hlmbayes tbody tr:nth-child(n) { background: none }
.hlmbayes tbody tr:hover { background: var(--tint) }
.hlmbayes tr.group th { font-style: italic; padding-top: .6rem }
.hlmbayes tbody tr:not(.group) th { padding-left: 1.4rem }
.hlmbayes th small { color: inherit; opacity: .75 }
.hlmbayes .n { text-align: right }
.hlmbayes .mean { border-top: 1px solid currentColor; padding-top: .08em }
.hlmbayes sub { font-size: .75em; line-height: 0 }
.hlmbayes .foot { font-size: .85rem; opacity: .85 }
.hlmbayes aside { margin: .8rem 0; padding: .6rem 1rem; background: var(--tint);
  border-left: 4px solid var(--info); border-radius: 0 .4rem .4rem 0 }
.hlmbayes aside.warning { border-left-color: var(--warn) }
.hlmbayes ul { margin: .4rem 0; padding-left: 1.4rem }
.hlmbayes .figure { max-width: none; margin: 1rem 0 }
.hlmbayes .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
  gap: 1rem }
.hlmbayes .figures .figure { margin: 0 }
.hlmbayes figcaption { font-weight: 600; margin-bottom: .3rem }
.hlmbayes img { max-width: min(100%, 40rem); background: #fff }
.hlmbayes details { margin-top: 2rem }
.hlmbayes summary { cursor: pointer }
.hlmbayes pre { overflow-x: auto; font: .8rem/1.35 ui-monospace, "Liberation Mono", Consolas, monospace }
.hlmbayes :focus-visible { outline: 2px solid var(--info); outline-offset: 2px }
.hlmbayes .checks { display: block }
.hlmbayes .checks div { margin: .5rem 0 }
.hlmbayes .checks dt { font-weight: 600; opacity: 1 }
.hlmbayes math { font-size: 1.05em }
.hlmbayes td:empty { padding: 0 }
.hlmbayes .wide th, .hlmbayes .wide td { padding-inline: .4rem }
.hlmbayes tbody th { white-space: normal; overflow-wrap: anywhere; min-width: 9rem }
.hlmbayes tbody th:has(+ th) { white-space: nowrap; min-width: 0 }
.hlmbayes small { font-size: max(.85em, .72rem) }
@media (max-width: 600px) {
  .hlmbayes { padding: 1rem .6rem 2rem }
  .hlmbayes caption, .hlmbayes thead th, .hlmbayes td { white-space: normal }
  .hlmbayes table { font-size: .78rem; width: 100% }
  .hlmbayes thead th { font-size: .7rem; letter-spacing: -.02em }
  .hlmbayes th, .hlmbayes td { padding: .25rem .22rem }
  .hlmbayes caption { max-width: calc(100vw - 1.2rem) }
  .hlmbayes tbody tr:not(.group) th { padding-left: .2rem }
  .hlmbayes tbody th:not(:has(+ th)) { min-width: 7em }
  .hlmbayes .models tbody th { min-width: 8em }
  .hlmbayes .wide thead { display: none }
  .hlmbayes .wide tr { display: grid; grid-template-columns: 1fr 1fr; column-gap: 1.2rem }
  .hlmbayes .wide th { grid-column: span 2 }
  .hlmbayes .wide td { display: flex; justify-content: space-between; padding: .25rem .22rem }
  .hlmbayes .wide td::before { content: attr(data-head); opacity: .75 }
  .hlmbayes .large { overflow-x: auto }
  .hlmbayes .large img { max-width: none; width: 34rem }
}
@media print {
  .hlmbayes { max-width: none; padding: 0; font-size: 10pt }
  .hlmbayes details { display: none }
  .hlmbayes h2 { margin-top: 1.4rem }
  .hlmbayes .scroll { overflow: visible; margin-top: 1rem }
  .hlmbayes .figures { grid-template-columns: 1fr 1fr; gap: .6rem }
  .hlmbayes img { max-height: 7.4cm; max-width: 100% }
  .hlmbayes th, .hlmbayes td { padding-block: .16rem }
  .hlmbayes aside, .hlmbayes .figure, .hlmbayes li, .hlmbayes tr, .hlmbayes dl,
  .hlmbayes .equations, .hlmbayes .scroll:has(tbody tr:nth-child(-n+8):last-child) { break-inside: avoid }
  .hlmbayes h2, .hlmbayes h3, .hlmbayes caption, .hlmbayes tr.group { break-after: avoid }
  .hlmbayes .foot { break-before: avoid }
  .hlmbayes p, .hlmbayes dd { orphans: 3; widows: 3 }
}
"""
