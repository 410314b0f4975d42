// A window for checking: the user's bots, the code on offer, the last events. REST with the page's cookie, nothing else.
'use strict';

const POLL_MS = 1000;
const SHOWN_EVENTS = 40;
const API = '/api/v1';

// The one-time code leaves the address bar before anything else runs.
const code = new URLSearchParams(location.hash.slice(1)).get('code');
if (location.hash) history.replaceState(null, '', location.pathname);

const $ = (id) => document.getElementById(id);
const names = new Map();
const cards = new Map();
let after = null;
let busy = false;
let looking = Promise.resolve();

const TONES = {
  connected: 'ok', awaiting_scan: 'you', login_expired: 'you', passkey_required: 'you', replaced: 'you', logged_out: 'you',
  starting: 'busy', pairing: 'busy', connecting: 'busy', stopping: 'busy', reconnecting: 'heal', degraded: 'heal',
  banned: 'stop', blocked: 'stop', failed: 'stop', outdated: 'stop', stopped: 'off',
};
const WORDS = {
  awaiting_scan: 'Waiting for scan', login_expired: 'Codes expired', passkey_required: 'Passkey needed', replaced: 'Used elsewhere',
  logged_out: 'Logged out', pairing: 'Finishing linking', degraded: 'Not answering',
};
const ACTIONS = {
  start: ['Start', 'start'], request_new_code: ['New code', 'link'], link_again: ['Link again', 'link'],
  reconnect_here: ['Reconnect here', 'start'], retry: ['Try again', 'restart'],
};

class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? 'The server did not answer.');
    this.status = status;
    this.code = body?.code ?? 'internal';
  }
}

async function call(method, path, body, accept = 'application/json') {
  const headers = { Accept: accept };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await fetch(API + path, { method, headers, body: body && JSON.stringify(body), cache: 'no-store' });
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => null));
  if (accept !== 'application/json') return answer.text();
  return answer.status === 204 || answer.status === 202 && answer.headers.get('Content-Length') === '0' ? null : answer.json();
}

function say(text) {
  $('problem').textContent = text;
  $('problem').hidden = !text;
}

function live(text, tone) {
  $('live').lastElementChild.textContent = text;
  $('live').className = `pill ${tone}`;
}

async function act(work) {
  if (busy) return;
  busy = true;
  say('');
  try {
    await work();
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
  }
  refresh().catch((error) => say(error.message));
}

function button(label, work) {
  const made = document.createElement('button');
  made.textContent = label;
  made.addEventListener('click', () => act(work));
  return made;
}

function actions(bot) {
  const post = (verb) => () => call('POST', `/bots/${bot.id}/${verb}`, {});
  const found = [];
  const next = ACTIONS[bot.userAction];
  if (next) found.push(button(next[0], post(next[1])));
  else if (bot.desired === 'running') found.push(button('Stop', post('stop')));
  else found.push(button('Start', post('start')));
  return found;
}

function card(bot) {
  let made = cards.get(bot.id);
  if (!made) {
    made = $('bot').content.firstElementChild.cloneNode(true);
    made.dataset.bot = bot.id;
    cards.set(bot.id, made);
    $('bots').append(made);
  }
  return made;
}

function when(ms) {
  return new Date(ms).toLocaleTimeString([], { hour12: false });
}

function why(bot) {
  const parts = bot.reason ? [bot.reason.text] : [];
  if (bot.status === 'pairing') parts.push('Scanned. WhatsApp restarts the connection; this is expected.');
  if (bot.status === 'connected' && bot.provedAt) parts.push(`Proved alive at ${when(bot.provedAt)}.`);
  if (bot.until) parts.push(`Until ${new Date(bot.until).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short', hour12: false })}.`);
  if (bot.retryAt) parts.push(`Next try at ${when(bot.retryAt)}.`);
  return parts.join(' ');
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join('');
}

function text(made, selector, value) {
  const found = made.querySelector(selector);
  if (found.textContent !== value) found.textContent = value;
}

function show(bot) {
  const made = card(bot);
  made.dataset.status = bot.status;
  text(made, '.avatar', initials(bot.name));
  text(made, 'h3', bot.name);
  text(made, 'h4', `Link ${bot.name} to WhatsApp`);
  text(made, '.device', bot.deviceName);
  made.querySelector('.status').className = `status ${TONES[bot.status] ?? 'off'}`;
  text(made, '.status span', word(bot.status));
  text(made, '.number', bot.account ? `+${bot.account.phone}` : 'No number yet');
  text(made, '.reason', why(bot));
  const state = [bot.userAction, bot.desired].join();
  if (made.dataset.actions !== state) {
    made.dataset.actions = state;
    made.querySelector('.actions').replaceChildren(...actions(bot));
  }
  return offer(made, bot);
}

async function offer(made, bot) {
  const shown = bot.status === 'awaiting_scan' && bot.link?.index != null && bot.link.method === 'qr';
  made.querySelector('.offer').hidden = !shown;
  if (!shown) return forget(made);
  const key = `${bot.link.attempt}/${bot.link.index}`;
  if (made.dataset.code !== key) {
    forget(made);
    try {
      const svg = await call('GET', `/bots/${bot.id}/qr`, undefined, 'image/svg+xml');
      made.querySelector('.code').replaceChildren(new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement);
      made.dataset.code = key;
    } catch (error) {
      if (error.code !== 'no_code_on_offer') throw error;
    }
  }
  const left = Math.max(0, Math.round((bot.link.expiresAt - Date.now()) / 1000));
  text(made, '.count', `Code ${bot.link.index} of ${bot.link.of}`);
  text(made, '.left-s', left ? `${bot.link.index < bot.link.of ? 'New code in' : 'Last code,'} ${left} s` : 'New code coming…');
  pips(made.querySelector('.pips'), bot.link);
}

// A code that may be old leaves the page; what stands in its place is no code.
function forget(made) {
  made.querySelector('.code').replaceChildren();
  delete made.dataset.code;
}

function pips(box, link) {
  if (box.children.length !== link.of) box.replaceChildren(...Array.from({ length: link.of }, () => document.createElement('span')));
  [...box.children].forEach((pip, index) => { pip.className = index + 1 < link.index ? 'past' : index + 1 === link.index ? 'now' : ''; });
}

function word(status) {
  return WORDS[status] ?? status[0].toUpperCase() + status.slice(1);
}

function row(frame) {
  const made = document.createElement('li');
  const cells = {
    at: when(frame.at),
    who: names.get(frame.botId) ?? frame.data?.name ?? frame.botId ?? '',
    what: frame.type,
    detail: detail(frame),
  };
  for (const [name, value] of Object.entries(cells)) {
    const cell = document.createElement('span');
    cell.className = name;
    cell.textContent = value;
    made.append(cell);
  }
  made.title = frame.event;
  return made;
}

function detail(frame) {
  const data = frame.data ?? {};
  if (frame.type === 'status') return [word(frame.status), data.reason?.text].filter(Boolean).join(': ');
  if (frame.type === 'send_result') return [data.state, data.error?.text].filter(Boolean).join(': ');
  if (frame.type === 'message') return `${data.fromMe ? 'You' : data.pushName ?? 'Message'}: ${data.text ?? data.kind ?? ''}`;
  return data.reason?.text ?? data.text ?? data.account?.pushName ?? data.code ?? '';
}

// One look at a time: two from the same position would list its events twice.
function refresh() {
  looking = looking.catch(() => null).then(look);
  return looking;
}

async function look() {
  const listing = await call('GET', '/bots');
  if (after === null) after = `${listing.position.epoch}:${Math.max(0, listing.position.seq - SHOWN_EVENTS)}`;
  for (const bot of listing.bots) names.set(bot.id, bot.name);
  await Promise.all(listing.bots.map(show));
  const present = new Set(listing.bots.map((bot) => bot.id));
  for (const [id, made] of cards) if (!present.has(id)) { made.remove(); cards.delete(id); }
  $('empty').hidden = listing.bots.length > 0;
  $('bots').hidden = listing.bots.length === 0;
  const page = await call('GET', `/events?limit=200&after=${encodeURIComponent(after)}`);
  after = `${page.position.epoch}:${page.position.seq}`;
  for (const frame of page.events) $('events').prepend(row(frame));
  while ($('events').children.length > SHOWN_EVENTS) $('events').lastElementChild.remove();
  $('events').hidden = !$('events').children.length;
  $('quiet').hidden = !$('events').hidden;
  live('Live', 'ok');
}

function stale() {
  for (const made of cards.values()) forget(made);
}

function signedOut(text) {
  $('signed-in').hidden = true;
  $('sign-out').hidden = true;
  $('signed-out').hidden = false;
  if (text) $('why').textContent = text;
  live('Signed out', 'off');
}

async function poll() {
  try {
    if (!document.hidden) await refresh();
  } catch (error) {
    stale();
    if (error.status === 401) return signedOut();
    if (error.code === 'position_expired') after = null;
    else live('Not connected', 'stop');
  }
  setTimeout(poll, POLL_MS);
}

// A one-time address opened in this very tab changes only the part behind #, which loads nothing.
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#code=')) location.reload();
});

async function showDriver() {
  const { driver } = await call('GET', '/version');
  $('driver').hidden = driver !== 'simulated';
}

async function start() {
  try {
    await call('POST', '/session', code ? { code } : {});
  } catch (error) {
    if (error.status !== 401) { live('Not connected', 'stop'); setTimeout(start, POLL_MS); return; }
    signedOut(code ? 'This one-time address was used already, or is older than five minutes.' : '');
    return;
  }
  $('signed-in').hidden = false;
  $('sign-out').hidden = false;
  poll();
  showDriver();
}

$('create').addEventListener('submit', (event) => {
  event.preventDefault();
  act(async () => {
    await call('POST', '/bots', { name: $('name').value });
    $('name').value = '';
  });
});
$('sign-out').addEventListener('click', async () => {
  await call('DELETE', '/session');
  location.reload();
});
start();
