// The page of the API: Swagger UI with our schema. A file of its own, since the content security policy allows nothing inline.
"use strict";
const where = document.getElementById("swagger-ui");
window.SwaggerUIBundle({
  url: where.dataset.schema,
  domNode: where,
  deepLinking: true,
  validatorUrl: null, // never asks another server
  persistAuthorization: false, // a token typed here is gone with the page
  presets: [window.SwaggerUIBundle.presets.apis],
  plugins: [window.SwaggerUIBundle.plugins.DownloadUrl],
});
