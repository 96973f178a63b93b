<?php
/**
 * The welcome e-mail.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Sends the welcome e-mail if it is still due.
 *
 * Its Message-ID never changes. If PHP dies after sending it and before noting that, the second copy is the same message
 * to mail servers and mail programs.
 *
 * @param int $user_id The new member.
 * @return string What went wrong, or "".
 */
function memberhook_send_welcome( $user_id ) {
	$meta_key = memberhook_meta_key( '_memberhook_welcome' );
	$key      = get_user_meta( $user_id, $meta_key, true );
	if ( ! $key ) {
		return '';
	}
	$problem = '';
	$prepare = function ( $mailer ) use ( $key ) {
		// phpcs:disable WordPress.NamingConventions.ValidVariableName -- PHPMailer's own names.
		$mailer->MessageID = sprintf( '<welcome.%s@%s>', $key, wp_parse_url( home_url(), PHP_URL_HOST ) );
		$mailer->Timeout   = min( $mailer->Timeout, 10 );
		// phpcs:enable
	};
	$fail    = function () use ( &$problem ) {
		$problem = 'WordPress could not send the welcome e-mail: test its e-mail settings, then have the member request a '
			. 'new password.';
	};
	add_action( 'phpmailer_init', $prepare, 99 );
	add_action( 'wp_mail_failed', $fail );
	try {
		wp_new_user_notification( $user_id, null, 'user' );
	} catch ( Throwable $error ) {
		$fail();
	}
	remove_action( 'phpmailer_init', $prepare, 99 );
	remove_action( 'wp_mail_failed', $fail );
	delete_user_meta( $user_id, $meta_key );
	return $problem;
}
