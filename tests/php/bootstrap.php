<?php
/**
 * Just enough of WordPress for the connector's decisions: the functions that its rules call, and nothing that stores.
 */

define( 'ABSPATH', __DIR__ . '/' );

$GLOBALS['filters'] = array();

function add_filter( $name, $callback ) {
	$GLOBALS['filters'][ $name ][] = $callback;
}

function add_action( $name, $callback ) {
	add_filter( $name, $callback );
}

function apply_filters( $name, $value, ...$others ) {
	foreach ( $GLOBALS['filters'][ $name ] ?? array() as $callback ) {
		$value = $callback( $value, ...$others );
	}
	return $value;
}

function register_activation_hook() {
}

function register_deactivation_hook() {
}

function plugin_basename( $file ) {
	return basename( $file );
}

function remove_accents( $text ) {
	return strtr( $text, array( 'ç' => 'c', 'é' => 'e', 'ü' => 'u' ) );
}

function is_multisite() {
	return false;
}

function wp_list_pluck( $list, $field ) {
	return array_column( $list, $field );
}

function maybe_serialize( $value ) {
	return is_array( $value ) ? serialize( $value ) : $value;
}

require dirname( __DIR__, 2 ) . '/src/memberhook/sites/wordpress/plugin/memberhook-connector/memberhook-connector.php';
