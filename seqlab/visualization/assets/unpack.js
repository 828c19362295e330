/* In a notebook plotly's script is compressed: unpack it, then run it and the page's own script. */
(async () => {
  const text = (id) => document.getElementById(id).textContent;
  const run = (source) => {
    const script = document.createElement("script");
    script.textContent = source;
    document.head.append(script);
  };
  if (typeof DecompressionStream === "undefined") {
    document.getElementById("plot").textContent =
      "This browser is too old to show the picture here; save it with .save(\"picture.html\") and open that file.";
    return;
  }
  const bytes = Uint8Array.from(atob(text("library")), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  run(await new Response(stream).text());
  run(text("code"));
})();
