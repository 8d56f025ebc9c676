"""The OpenAPI document: made from the types that check requests and that renderers return."""
