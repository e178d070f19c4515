// Makes window.Plotly from the bytes of plotly.min.js, once; window.plotlyReady is a promise of it.

export default function ({ data }) {
  if (window.plotlyReady?.loading) return;
  const waiting = window.plotlyReady?.resolve;
  const loaded = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = URL.createObjectURL(new Blob([data], { type: "text/javascript" }));
    script.onload = () => resolve(window.Plotly);
    script.onerror = reject;
    document.head.appendChild(script);
  });
  loaded.then((plotly) => waiting?.(plotly));
  loaded.loading = true;
  window.plotlyReady = loaded;
}
