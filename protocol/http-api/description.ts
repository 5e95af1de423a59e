/**
 * Where the HTTP API describes itself: an OpenAPI 3.1 document.
 */
export const DESCRIPTION_ROUTE = "/v1/openapi.json";
