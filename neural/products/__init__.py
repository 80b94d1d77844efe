"""What scoring says of products, beside customers: whom to call, what replaces a product, what joins it."""
