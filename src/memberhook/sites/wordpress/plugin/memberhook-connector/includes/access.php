<?php
/**
 * Who may use the connector: its capability, its role, and what an account with that role may not do.
 *
 * The account that Memberhook logs in with needs the capability `memberhook_manage_members` and nothing else. It does not
 * need `create_users` or `edit_users`, so its application password opens no other door: WordPress's own REST API and
 * XML-RPC let it manage nobody. What the connector does on its behalf follows the rules in `protection.php`.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/** Allows to find, create and change members through the connector. */
const MEMBERHOOK_CAPABILITY = 'memberhook_manage_members';

/** A role with `read` and that capability. */
const MEMBERHOOK_ROLE = 'memberhook_connector';

/** Together these allow the same through WordPress itself, so whoever has them may use the connector, too. */
const MEMBERHOOK_CORE_RIGHTS = array( 'list_users', 'create_users', 'edit_users', 'promote_users' );

/** In a network: the account that a super admin has approved, by site (network option). */
const MEMBERHOOK_ACCOUNTS = 'memberhook_connector_users';

add_action( 'init', 'memberhook_add_role' );
add_filter( 'map_meta_cap', 'memberhook_map_meta_cap', PHP_INT_MAX, 4 );
add_filter( 'editable_roles', 'memberhook_editable_roles', PHP_INT_MAX );

/**
 * Adds the role if the site does not have it: must-use plugins are never activated, and neither are updates.
 */
function memberhook_add_role() {
	if ( ! wp_roles()->is_role( MEMBERHOOK_ROLE ) ) {
		add_role(
			MEMBERHOOK_ROLE,
			'Memberhook',
			array(
				'read'                => true,
				MEMBERHOOK_CAPABILITY => true,
			)
		);
	}
}

/**
 * Whether the logged-in user has the connector's capability. The rules of the connector then apply instead of core's.
 *
 * @return bool
 */
function memberhook_is_connector() {
	return current_user_can( MEMBERHOOK_CAPABILITY );
}

/**
 * Whether the logged-in user may manage all users of this WordPress through WordPress itself.
 *
 * @return bool
 */
function memberhook_can_manage_users() {
	foreach ( MEMBERHOOK_CORE_RIGHTS as $right ) {
		if ( ! current_user_can( $right ) ) {
			return false;
		}
	}
	return true;
}

/**
 * Whether the account has the connector's role, on any site of the network. No webhook changes such an account.
 *
 * @param WP_User $user The account.
 * @return bool
 */
function memberhook_is_connector_account( WP_User $user ) {
	$roles = array( memberhook_roles_of( $user ) );
	if ( is_multisite() ) {
		$roles = array_merge( $roles, memberhook_network_roles( $user->ID ) );
	}
	return in_array( MEMBERHOOK_ROLE, array_merge( ...array_values( $roles ) ), true );
}

/**
 * Whether the account can do more than it needs for the connector.
 *
 * @param WP_User $user An account that may use the connector.
 * @return bool
 */
function memberhook_has_surplus_rights( WP_User $user ) {
	$others = array_diff_key( $user->allcaps, array_flip( array( MEMBERHOOK_ROLE, MEMBERHOOK_CAPABILITY ) ) );
	if ( memberhook_has_privileges( $others ) || ( is_multisite() && is_super_admin( $user->ID ) ) ) {
		return true;
	}
	foreach ( MEMBERHOOK_MARKER_CAPABILITIES as $capability ) {
		if ( user_can( $user, $capability ) ) {
			return true;
		}
	}
	return false;
}

/**
 * Takes two things away that WordPress would allow.
 *
 * An account of the connector cannot edit itself. With a stolen application password one could otherwise set its password
 * and make further application passwords, and so stay when the stolen one is revoked.
 *
 * In a network the capability counts only for the account that a super admin has approved on the connector's page. The
 * administrator of a site can grant roles there, but must not get power over accounts that belong to other sites as well.
 *
 * @param string[] $caps    Capabilities that the user needs.
 * @param string   $cap     What is checked.
 * @param int      $user_id The user.
 * @param array    $args    The first one is the id of the user to edit.
 * @return string[]
 */
function memberhook_map_meta_cap( $caps, $cap, $user_id, $args ) {
	if ( MEMBERHOOK_CAPABILITY === $cap && is_multisite() && ! memberhook_is_approved( $user_id ) ) {
		return array( 'do_not_allow' );
	}
	if ( 'edit_user' === $cap && isset( $args[0] ) && (int) $args[0] === (int) $user_id ) {
		$user = get_userdata( $user_id );
		if ( $user && memberhook_is_connector_account( $user ) && ! memberhook_has_surplus_rights( $user ) ) {
			return array( 'do_not_allow' );
		}
	}
	return $caps;
}

/**
 * Whether a super admin has approved the account for this site of the network.
 *
 * @param int $user_id The account.
 * @return bool
 */
function memberhook_is_approved( $user_id ) {
	$accounts = (array) get_site_option( MEMBERHOOK_ACCOUNTS, array() );
	$blog     = get_current_blog_id();
	return isset( $accounts[ $blog ] ) && (int) $accounts[ $blog ] === (int) $user_id;
}

/**
 * Offers the connector's role only to those who may manage all users. Anybody else who may promote users would gain rights.
 *
 * @param array $roles Roles that the logged-in user may grant.
 * @return array
 */
function memberhook_editable_roles( $roles ) {
	if ( ! memberhook_can_manage_users() ) {
		unset( $roles[ MEMBERHOOK_ROLE ] );
	}
	return $roles;
}
