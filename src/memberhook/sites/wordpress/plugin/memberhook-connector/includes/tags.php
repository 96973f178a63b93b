<?php
/**
 * The tags of members. `memberhook_has_tag()` and `memberhook_tags()` are for themes and other plugins.
 *
 * Stored per connection, which is its name in Memberhook:
 *
 * - user meta `memberhook_contact_<connection>`: the contact's id in the CRM
 * - user meta `memberhook_tags_<connection>`: the ids of the tags, a list of strings
 * - option `memberhook_tags_<connection>`: names of the tags, id => array( slug, title )
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Whether the user has the tag.
 *
 * @param string $tag     Slug, title or id of the tag.
 * @param int    $user_id The user; 0 for the current one.
 * @return bool
 */
function memberhook_has_tag( $tag, $user_id = 0 ) {
	foreach ( memberhook_tags( $user_id ) as $held ) {
		if ( in_array( (string) $tag, array( $held['slug'], $held['title'], $held['id'] ), true ) ) {
			return true;
		}
	}
	return false;
}

/**
 * The tags of the user, from all connections.
 *
 * @param int $user_id The user; 0 for the current one.
 * @return array[] Each has connection, id, slug, title.
 */
function memberhook_tags( $user_id = 0 ) {
	$prefix = memberhook_meta_key( 'memberhook_tags_' );
	$tags   = array();
	foreach ( (array) get_user_meta( $user_id ? $user_id : get_current_user_id() ) as $key => $values ) {
		if ( 0 === strpos( $key, $prefix ) ) {
			$connection = substr( $key, strlen( $prefix ) );
			foreach ( (array) maybe_unserialize( $values[0] ) as $id ) {
				$tags[] = array( 'connection' => $connection ) + memberhook_tag( $connection, $id );
			}
		}
	}
	return $tags;
}

/**
 * A tag by its id.
 *
 * @param string $connection The connection that the tag comes from.
 * @param string $id         The tag's id in the CRM.
 * @return array With id, slug, title. An unknown tag has its id as slug and title.
 */
function memberhook_tag( $connection, $id ) {
	$names = get_option( "memberhook_tags_$connection", array() );
	$known = isset( $names[ $id ] ) ? $names[ $id ] : array( (string) $id, (string) $id );
	return array(
		'id'    => (string) $id,
		'slug'  => $known[0],
		'title' => $known[1],
	);
}

/**
 * Stores the current names of tags.
 *
 * @param string  $connection The connection that the tags come from.
 * @param array[] $tags       Each has id, slug, title.
 */
function memberhook_upsert_tags( $connection, $tags ) {
	$before = get_option( "memberhook_tags_$connection", array() );
	$after  = $before;
	foreach ( $tags as $tag ) {
		$after[ (string) $tag['id'] ] = array( (string) $tag['slug'], (string) $tag['title'] );
	}
	if ( $after !== $before ) {
		update_option( "memberhook_tags_$connection", $after, false );
	}
}

/**
 * The ids of the tags that the user has from a connection.
 *
 * @param int    $user_id    The user.
 * @param string $connection The connection.
 * @return string[]
 */
function memberhook_tag_ids( $user_id, $connection ) {
	$ids = get_user_meta( $user_id, memberhook_meta_key( "memberhook_tags_$connection" ), true );
	return is_array( $ids ) ? array_map( 'strval', array_values( $ids ) ) : array();
}

/**
 * The user meta key for this site. In a network, users and their meta are shared by all sites.
 *
 * @param string $name For example `memberhook_tags_shop`.
 * @return string
 */
function memberhook_meta_key( $name ) {
	global $wpdb;
	return is_multisite() && ! is_main_site() ? $wpdb->get_blog_prefix() . $name : $name;
}
