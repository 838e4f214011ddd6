"""A network without code: its rates by HTTP and JMESPath, as the configuration describes them."""
