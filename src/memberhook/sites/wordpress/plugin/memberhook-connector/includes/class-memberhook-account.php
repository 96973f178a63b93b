<?php
/**
 * The account that Memberhook logs in with.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Creates the account and its application password.
 */
final class Memberhook_Account {

	/** Its username, if that is free. */
	const USERNAME = 'memberhook';

	/** Name of its application password. */
	const PASSWORD = 'Memberhook';

	/**
	 * Why the logged-in user cannot create it here.
	 *
	 * @return string "" if they can.
	 */
	public static function obstacle() {
		if ( ! memberhook_can_manage_users() ) {
			return is_multisite()
				? __( 'On a network, a super admin creates the user for Memberhook on this page.', 'memberhook-connector' )
				: __( 'You may not manage users, so somebody who may has to create the user for Memberhook.', 'memberhook-connector' );
		}
		if ( ! wp_is_application_passwords_available() ) {
			return __(
				'This site offers no application passwords: they need https://, and a security plugin can switch them off.',
				'memberhook-connector'
			);
		}
		return '';
	}

	/**
	 * The account of this site.
	 *
	 * @return WP_User|null
	 */
	public static function find() {
		$accounts = (array) get_site_option( MEMBERHOOK_ACCOUNTS, array() );
		$blog     = get_current_blog_id();
		$user     = isset( $accounts[ $blog ] ) ? get_userdata( (int) $accounts[ $blog ] ) : false;
		// An account that somebody has given other roles since is theirs.
		return $user && array( MEMBERHOOK_ROLE ) === memberhook_roles_of( $user ) ? $user : null;
	}

	/**
	 * Creates the account if there is none, revokes its application password of that name, and creates a new one.
	 *
	 * The caller checks that the logged-in user may do this; see `obstacle()`.
	 *
	 * @return array{username: string, password: string, revoked: int}|WP_Error
	 */
	public static function connect() {
		memberhook_add_role();
		$user = self::find();
		if ( ! $user ) {
			$user = self::create();
		}
		if ( is_wp_error( $user ) ) {
			return $user;
		}
		$revoked = 0;
		foreach ( WP_Application_Passwords::get_user_application_passwords( $user->ID ) as $item ) {
			if ( self::PASSWORD === $item['name'] ) { // First, because names are unique.
				$revoked += true === WP_Application_Passwords::delete_application_password( $user->ID, $item['uuid'] ) ? 1 : 0;
			}
		}
		$made = WP_Application_Passwords::create_new_application_password( $user->ID, array( 'name' => self::PASSWORD ) );
		if ( is_wp_error( $made ) ) {
			return $made;
		}
		return array(
			'username' => $user->user_login,
			'password' => WP_Application_Passwords::chunk_password( $made[0] ),
			'revoked'  => $revoked,
		);
	}

	/**
	 * Deletes the account of this site, for uninstalling.
	 */
	public static function delete() {
		$user     = self::find();
		$accounts = (array) get_site_option( MEMBERHOOK_ACCOUNTS, array() );
		unset( $accounts[ get_current_blog_id() ] );
		if ( $accounts ) {
			update_site_option( MEMBERHOOK_ACCOUNTS, $accounts );
		} else {
			delete_site_option( MEMBERHOOK_ACCOUNTS );
		}
		if ( ! $user ) {
			return;
		}
		if ( is_multisite() ) {
			require_once ABSPATH . 'wp-admin/includes/ms.php';
			wpmu_delete_user( $user->ID );
		} else {
			require_once ABSPATH . 'wp-admin/includes/user.php';
			wp_delete_user( $user->ID );
		}
	}

	/**
	 * Creates the account. Nobody knows its password, and it has no e-mail address to request a new one with.
	 *
	 * @return WP_User|WP_Error
	 */
	private static function create() {
		$username = self::USERNAME;
		$number   = 1;
		while ( username_exists( $username ) && $number < 100 ) { // That account is somebody else's.
			++$number;
			$username = self::USERNAME . "-$number";
		}
		$user_id = wp_insert_user(
			array(
				'user_login'   => $username,
				'user_pass'    => wp_generate_password( 64, true, true ),
				'user_email'   => '',
				'display_name' => 'Memberhook',
				'role'         => MEMBERHOOK_ROLE,
			)
		);
		if ( is_wp_error( $user_id ) ) {
			return $user_id;
		}
		if ( is_multisite() ) {
			add_user_to_blog( get_current_blog_id(), $user_id, MEMBERHOOK_ROLE );
		}
		$accounts                          = (array) get_site_option( MEMBERHOOK_ACCOUNTS, array() );
		$accounts[ get_current_blog_id() ] = $user_id;
		update_site_option( MEMBERHOOK_ACCOUNTS, $accounts );
		return get_userdata( $user_id );
	}
}
