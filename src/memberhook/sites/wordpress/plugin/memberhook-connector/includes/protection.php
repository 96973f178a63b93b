<?php
/**
 * Rules that no request can override: privileged roles, protected members, closed fields.
 *
 * Memberhook applies the same rules before it sends a plan; see `core/plan.py`, `core/closed_fields.py` and
 * `user_capabilities.py` there.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Capabilities that make a role privileged: managing users, settings, code or other people's content.
 *
 * The same table as in Memberhook's `user_capabilities.py`; a test compares the two. The last line covers the connector's
 * own role and capability, so they can never be granted by a webhook.
 */
const MEMBERHOOK_PRIVILEGED = array(
	'^(administrator|editor|super_admin|shop_manager)$',
	'^level_([3-9]|10)$',
	'^manage_',
	'^unfiltered_',
	'^(import|export|customize|moderate_comments|edit_dashboard|update_core|switch_themes|setup_network)$',
	'^promote_',
	'_users?$',
	'^(install|activate|deactivate|delete|update|edit|upload|resume|switch)_(plugins?|themes?|theme_options|languages|css)$',
	'^(edit|delete|update)_files$',
	'^(create|delete|edit|upgrade)_(sites?|network|roles?)$',
	'_others_',
	'^(edit|delete)_private_',
	'^memberhook_',
);

/** At least one of these is held by anybody whose privileges are granted at run time (`user_has_cap`). */
const MEMBERHOOK_MARKER_CAPABILITIES = array( 'manage_options', 'edit_users', 'edit_others_posts' );

/** User fields that are not meta, or that WordPress sanitizes in its own way. All other fields are user meta. */
const MEMBERHOOK_CORE_FIELDS = array(
	'first_name',
	'last_name',
	'nickname',
	'display_name',
	'description',
	'user_url',
	'user_nicename',
	'locale',
);

/**
 * Whether the capability makes its holder privileged.
 *
 * @param string $capability Name of a capability or role.
 * @return bool
 */
function memberhook_is_privileged_capability( $capability ) {
	$privileged = (bool) preg_match( '/' . implode( '|', MEMBERHOOK_PRIVILEGED ) . '/i', $capability );

	/**
	 * Filters whether a capability makes its holder privileged, for capabilities that other plugins add.
	 *
	 * @param bool   $privileged Whether it does.
	 * @param string $capability Name of the capability or role.
	 */
	return (bool) apply_filters( 'memberhook_is_privileged_capability', $privileged, $capability );
}

/**
 * Whether any of these capabilities is granted and privileged.
 *
 * @param array $capabilities Name => granted, as WordPress stores them for roles and users.
 * @return bool
 */
function memberhook_has_privileges( $capabilities ) {
	foreach ( (array) $capabilities as $capability => $granted ) {
		if ( $granted && memberhook_is_privileged_capability( (string) $capability ) ) {
			return true;
		}
	}
	return false;
}

/**
 * The roles of this site.
 *
 * @return array[] By slug; each has slug, title, privileged.
 */
function memberhook_roles() {
	static $roles = array();
	$blog         = get_current_blog_id();
	if ( ! isset( $roles[ $blog ] ) ) {
		$roles[ $blog ] = array();
		foreach ( wp_roles()->roles as $slug => $role ) {
			$capabilities            = isset( $role['capabilities'] ) ? (array) $role['capabilities'] : array();
			$roles[ $blog ][ $slug ] = array(
				'slug'       => (string) $slug,
				'title'      => translate_user_role( $role['name'] ),
				'privileged' => memberhook_has_privileges( array( $slug => true ) + $capabilities ),
			);
		}
	}
	return $roles[ $blog ];
}

/**
 * Whether the member is protected: the account has privileges on this site or on another site of the network.
 *
 * Nobody but the site's owner changes the e-mail address, password and roles of a protected member. Memberhook has the same
 * rule under the same name, in its `plan.py`.
 *
 * @param WP_User $user The account.
 * @return bool
 */
function memberhook_is_protected( WP_User $user ) {
	if ( memberhook_has_privileges( $user->allcaps ) || ( is_multisite() && is_super_admin( $user->ID ) ) ) {
		return true;
	}
	foreach ( MEMBERHOOK_MARKER_CAPABILITIES as $capability ) {
		if ( user_can( $user, $capability ) ) { // Other code may grant capabilities when they are checked.
			return true;
		}
	}
	return is_multisite() && memberhook_is_privileged_in_network( $user->ID );
}

/**
 * Whether the account has privileges on another site of the network. Whoever sets its password could use them there.
 *
 * @param int $user_id The account.
 * @return bool
 */
function memberhook_is_privileged_in_network( $user_id ) {
	global $wpdb;
	foreach ( memberhook_network_roles( $user_id ) as $blog => $names ) {
		$roles = get_blog_option( $blog, $wpdb->get_blog_prefix( $blog ) . 'user_roles', array() );
		foreach ( $names as $name ) {
			$capabilities = isset( $roles[ $name ]['capabilities'] ) ? $roles[ $name ]['capabilities'] : array();
			if ( memberhook_has_privileges( array( $name => true ) + $capabilities ) ) {
				return true;
			}
		}
	}
	return false;
}

/**
 * The roles and directly granted capabilities of an account, by site of the network.
 *
 * @param int $user_id The account.
 * @return array<int, string[]>
 */
function memberhook_network_roles( $user_id ) {
	global $wpdb;
	$pattern = '/^' . preg_quote( $wpdb->base_prefix, '/' ) . '(?:(\d+)_)?capabilities$/';
	$found   = array();
	foreach ( (array) get_user_meta( $user_id ) as $key => $values ) {
		if ( preg_match( $pattern, $key, $parts ) ) {
			$blog           = empty( $parts[1] ) ? get_main_site_id() : (int) $parts[1];
			$found[ $blog ] = array_map( 'strval', array_keys( array_filter( (array) maybe_unserialize( $values[0] ) ) ) );
		}
	}
	return $found;
}

/**
 * Whether the field is closed: no request may ever read or set it.
 *
 * @param string $key A user meta key, or a column of the users table.
 * @return bool
 */
function memberhook_is_closed_key( $key ) {
	if ( preg_match( '/[^\x20-\x7e]/', $key ) ) {
		return true; // The database treats many letters as equal (ｃ and c), and so one key as another.
	}
	$core = strtolower( trim( $key ) );
	if ( $core !== $key && in_array( $core, MEMBERHOOK_CORE_FIELDS, true ) ) {
		return true; // `Locale` would be stored as `locale`, but without its checks.
	}
	// The last two follow the prefix of the tables, which need not end in `_`.
	$plain  = preg_replace( '/[^a-z0-9_]/', '', strtolower( remove_accents( $key ) ) );
	$closed = '/^(|_.*|(.*_)?memberhook_.*|id|user_login|user_email|user_pass|user_registered|user_activation_key|user_status'
		. '|spam|deleted|role|roles|caps|allcaps|cap_key|capabilities|user_level|session_tokens|primary_blog|source_domain'
		. '|.*capabilities|.*user_level)$/';
	if ( 1 === preg_match( $closed, $plain ) ) {
		return true;
	}

	/**
	 * Filters whether a field is closed, for user meta in which other plugins keep secrets.
	 *
	 * @param bool   $closed Whether it is.
	 * @param string $key    The user meta key.
	 */
	return (bool) apply_filters( 'memberhook_is_closed_key', false, $key );
}
