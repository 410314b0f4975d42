// Renders /openapi.json; no outside requests.
'use strict';

function add(parent, tag, text, name) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (name) made.className = name;
  parent.append(made);
  return made;
}

function fields(document_, reference) {
  const name = reference?.$ref?.split('/').pop();
  const properties = document_.components.schemas[name]?.properties ?? {};
  const required = new Set(document_.components.schemas[name]?.required ?? []);
  return Object.entries(properties).map(([field, schema]) => `${field}${required.has(field) ? '' : '?'}${schema.description ? ` (${schema.description})` : ''}`);
}

function operation(document_, list, path, method, spec) {
  const item = add(list, 'li', '', 'card');
  add(add(item, 'h3'), 'code', `${method.toUpperCase()} ${path}`);
  add(item, 'p', spec.summary, 'muted');
  const body = spec.requestBody?.content ?? {};
  const takes = [...fields(document_, body['application/json']?.schema), ...Object.keys(body).filter((name) => name !== 'application/json')];
  if (takes.length) add(item, 'p', `Body: ${takes.join(', ')}`);
  const options = spec.parameters.filter((parameter) => parameter.in !== 'path');
  if (options.length) add(item, 'p', `Options: ${options.map(({ name, description }) => `${name} (${description})`).join(', ')}`);
  const refusals = [];
  for (const [status, answer] of Object.entries(spec.responses)) {
    if (answer.content?.['application/problem+json']) {
      refusals.push(...[...answer.description.matchAll(/`(\w+)`/g)].map(([, code]) => `${status} ${code}`));
    } else {
      const media = Object.keys(answer.content ?? {}).filter((name) => name !== 'application/json');
      const returns = [...fields(document_, answer.content?.['application/json']?.schema), ...media];
      add(item, 'p', `${status}${returns.length ? `: ${returns.join(', ')}` : ''}`);
    }
  }
  add(item, 'p', `Refusals: ${refusals.join(', ')}`, 'muted');
}

async function render() {
  const document_ = await (await fetch('/openapi.json')).json();
  const list = document.getElementById('operations');
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, spec] of Object.entries(methods)) operation(document_, list, path, method, spec);
  }
}

render();
