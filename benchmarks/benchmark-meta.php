<?php
/* Plugin Name: What core REST may write of a user in benchmarks/wordpress.py. */

foreach (['city', 'contact'] as $name) {
    register_meta('user', "benchmark_$name", ['type' => 'string', 'single' => true, 'show_in_rest' => true]);
}
register_meta('user', 'benchmark_tags', [
    'type' => 'array',
    'single' => true,
    'show_in_rest' => ['schema' => ['type' => 'array', 'items' => ['type' => 'string']]],
]);
