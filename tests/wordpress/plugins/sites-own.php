<?php
/**
 * Plugin Name: The site's own code
 * Description: What a site's owner or another plugin could do: listens to hooks, forbids usernames, throws, dies.
 */

defined( 'ABSPATH' ) || exit;

$heard = array(
	'memberhook_member_created',
	'memberhook_member_updated',
	'memberhook_tags_applied',
	'memberhook_tags_removed',
	'user_register',
	'profile_update',
	'set_user_role',
);
foreach ( $heard as $hook ) {
	add_action(
		$hook,
		function ( $user_id, $detail = null ) use ( $hook ) {
			global $wpdb;
			if ( get_option( 'listens' ) ) {
				$row = array(
					'option_name'  => 'heard_' . uniqid( '', true ),
					'option_value' => wp_json_encode( array( $hook, (int) $user_id, is_object( $detail ) ? null : $detail ) ),
					'autoload'     => 'no',
				);
				$wpdb->insert( $wpdb->options, $row );
			}
		},
		10,
		2
	);
}

add_action(
	'user_register',
	function ( $user_id ) {
		$login = get_userdata( $user_id )->user_login;
		if ( false !== strpos( $login, 'throws' ) ) {
			throw new RuntimeException( 'secret of ' . $login );
		}
		if ( false !== strpos( $login, 'exits' ) ) {
			exit;
		}
		if ( get_option( 'takes_back' ) ) {
			$GLOBALS['wpdb']->query( 'ROLLBACK' );
		}
		if ( false !== strpos( $login, 'sleeps' ) ) {
			sleep( 3 );
		}
	}
);

add_filter(
	'illegal_user_logins',
	function ( $logins ) {
		return array_merge( $logins, array( 'forbidden-name' ) );
	}
);

add_filter(
	'pre_wp_mail',
	function ( $sent, $mail ) {
		if ( false !== strpos( $mail['message'], 'no-mail' ) ) {
			do_action( 'wp_mail_failed', new WP_Error( 'wp_mail_failed', 'no mail today' ) );
			return false;
		}
		return $sent;
	},
	10,
	2
);

add_filter(
	'user_has_cap',
	function ( $capabilities, $required, $arguments, $user ) {
		if ( (int) get_option( 'filtered_user' ) === $user->ID ) {
			$capabilities['edit_users'] = true;
		}
		return $capabilities;
	},
	10,
	4
);
