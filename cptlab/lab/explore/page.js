// On a page without a kernel: content that stays as it is, its floats written as text.

function fixed(content) {
  if ("cosines" in content) {
    const bytes = Uint8Array.from(atob(content.cosines), (sign) => sign.charCodeAt(0));
    content.cosines = new DataView(bytes.buffer);
  }
  return { get: () => content, on() {}, off() {} };
}
