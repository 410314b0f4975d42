/**
 * Phone numbers as people type and read them: pasting with brackets and 00, grouping, shortening, the country. Pure.
 *
 * Whether a number is on WhatsApp only WhatsApp knows; this says what is surely wrong with it.
 */

/** Calling codes people type most, and the countries behind them; others are shown ungrouped. */
const COUNTRIES: { readonly [code: string]: string } = {
  1: "USA or Canada",
  7: "Russia or Kazakhstan",
  20: "Egypt",
  27: "South Africa",
  30: "Greece",
  31: "Netherlands",
  32: "Belgium",
  33: "France",
  34: "Spain",
  36: "Hungary",
  39: "Italy",
  40: "Romania",
  41: "Switzerland",
  43: "Austria",
  44: "United Kingdom",
  45: "Denmark",
  46: "Sweden",
  47: "Norway",
  48: "Poland",
  49: "Germany",
  51: "Peru",
  52: "Mexico",
  54: "Argentina",
  55: "Brazil",
  56: "Chile",
  57: "Colombia",
  58: "Venezuela",
  60: "Malaysia",
  61: "Australia",
  62: "Indonesia",
  63: "Philippines",
  64: "New Zealand",
  65: "Singapore",
  66: "Thailand",
  81: "Japan",
  82: "South Korea",
  84: "Vietnam",
  86: "China",
  90: "Türkiye",
  91: "India",
  92: "Pakistan",
  93: "Afghanistan",
  94: "Sri Lanka",
  98: "Iran",
  212: "Morocco",
  213: "Algeria",
  216: "Tunisia",
  221: "Senegal",
  225: "Côte d’Ivoire",
  233: "Ghana",
  234: "Nigeria",
  237: "Cameroon",
  251: "Ethiopia",
  254: "Kenya",
  255: "Tanzania",
  256: "Uganda",
  260: "Zambia",
  263: "Zimbabwe",
  351: "Portugal",
  352: "Luxembourg",
  353: "Ireland",
  354: "Iceland",
  355: "Albania",
  357: "Cyprus",
  358: "Finland",
  359: "Bulgaria",
  370: "Lithuania",
  371: "Latvia",
  372: "Estonia",
  380: "Ukraine",
  381: "Serbia",
  385: "Croatia",
  386: "Slovenia",
  420: "Czechia",
  421: "Slovakia",
  502: "Guatemala",
  503: "El Salvador",
  504: "Honduras",
  506: "Costa Rica",
  507: "Panama",
  591: "Bolivia",
  593: "Ecuador",
  595: "Paraguay",
  598: "Uruguay",
  852: "Hong Kong",
  855: "Cambodia",
  880: "Bangladesh",
  886: "Taiwan",
  961: "Lebanon",
  962: "Jordan",
  964: "Iraq",
  965: "Kuwait",
  966: "Saudi Arabia",
  968: "Oman",
  971: "Emirates",
  972: "Israel",
  973: "Bahrain",
  974: "Qatar",
  977: "Nepal",
  992: "Tajikistan",
  994: "Azerbaijan",
  995: "Georgia",
  998: "Uzbekistan",
};

/** Digits of what was typed or pasted; a leading 00 counts as +. */
export function digits(typed: string): string {
  const plain = typed.replace(/\(0\)/g, "").replace(/\D/g, "");
  return typed.trim().startsWith("+") ? plain : plain.replace(/^00/, "");
}

/** Whether words hold as many digits as a part of a number that somebody looks for, however they are written. */
export function mayBePhone(words: string): boolean {
  return (words.match(/\p{Nd}/gu)?.length ?? 0) > 2;
}

export type PhoneFault = "country" | "short" | "long";

/** What is surely wrong with a typed number; null when it may be one. */
export function fault(typed: string): PhoneFault | null {
  const plain = digits(typed);
  if (plain.startsWith("0")) return "country";
  if (plain.length < 7) return "short";
  return plain.length > 15 ? "long" : null;
}

/** The country of a number, when its calling code is one of those known here. */
export function country(typed: string): string | null {
  const code = callingCode(digits(typed));
  return code === null ? null : (COUNTRIES[code] ?? null);
}

function callingCode(plain: string): string | null {
  const known = [3, 2, 1].map((length) => plain.slice(0, length)).find((head) => head in COUNTRIES);
  return known ?? null;
}

/** +49 151 230 4567: the calling code, then groups that are easy to compare. */
export function whole(phone: string): string {
  const plain = digits(phone);
  const code = callingCode(plain) ?? "";
  return [`+${code}`, ...groups(plain.slice(code.length))].filter((part) => part !== "+").join(" ") || `+${plain}`;
}

/** +49 151 ••• 4567: enough to tell two apart, not enough to call. */
export function shortened(phone: string): string {
  const plain = digits(phone);
  const code = callingCode(plain) ?? "";
  const rest = plain.slice(code.length);
  const head = rest.slice(0, rest.length > 8 ? 3 : 1);
  return [code ? `+${code}` : null, code ? head : `+${head}`, "•••", rest.slice(-4)].filter(Boolean).join(" ");
}

function groups(rest: string): string[] {
  if (rest.length <= 4) return rest ? [rest] : [];
  const head = rest.length > 9 ? 3 : rest.length % 3 || 3;
  const parts = [rest.slice(0, head)];
  let at = head;
  while (rest.length - at > 4) {
    const length = rest.length - at;
    const next = length % 3 !== 2 ? 3 : length >= 8 ? 4 : 2;
    parts.push(rest.slice(at, at + next));
    at += next;
  }
  parts.push(rest.slice(at));
  return parts;
}

/** The phone number in an address such as 4915112345678@s.whatsapp.net; null for other addresses. */
export function ofAddress(address: string | null | undefined): string | null {
  const match = /^(\d{5,15})(?:[:.]\d+)*@(?:s\.whatsapp\.net|c\.us)$/.exec(address ?? "");
  return match?.[1] ?? null;
}
