// Keeps the pictures of a map's points as they come: window.cdpThumbs[key] = { shape: [n, h, w, c], pixels: Uint8Array }.

const KEPT = 4; // maps whose pictures stay in memory, the newest

export default function ({ data }) {
  const length = new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true);
  const { key, shape } = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  const thumbs = (window.cdpThumbs ??= new Map());
  thumbs.delete(key);
  thumbs.set(key, { shape, pixels: data.subarray(4 + length) });
  for (const old of [...thumbs.keys()].slice(0, -KEPT)) thumbs.delete(old);
}
