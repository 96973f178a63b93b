<?php
/**
 * Applying plans: one database transaction per member, and what happens when one fails.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Applies plans one after the other. Each has its own result, and is applied as a whole or not at all.
 *
 * @param array $batch connection, plans, tags; wp_fusion (slug or ""), full_cost_hash, seconds.
 * @return array[] A result for each plan; `postponed` for those that there was no time for.
 */
function memberhook_apply( $batch ) {
	$until = microtime( true ) + $batch['seconds'];
	ignore_user_abort( true );
	// Memberhook decides who gets which e-mail and when.
	add_filter( 'send_password_change_email', '__return_false', 99 );
	add_filter( 'send_email_change_email', '__return_false', 99 );
	memberhook_upsert_tags( $batch['connection'], $batch['tags'] );
	// Count the users once for the whole batch.
	$counts  = remove_action( 'user_register', 'wp_maybe_update_user_counts' );
	$answers = array();
	foreach ( $batch['plans'] as $plan ) {
		if ( $answers && microtime( true ) > $until ) {
			$answers[] = array( 'postponed' => true );
			continue;
		}
		try {
			$answers[] = memberhook_apply_one( $plan, $batch );
		} catch ( Memberhook_Rejection $rejection ) {
			$answers[] = array( $rejection->kind => 'stale' === $rejection->kind ? true : $rejection->getMessage() );
		} catch ( Throwable $error ) {
			$failure = memberhook_describe_failure( $error );
			// The message of the exception may hold personal data: it goes to the site's own log only.
			error_log( "Memberhook: $failure " . $error->getMessage() ); // phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- for the owner, who has no other trace of it.
			$answers[] = array( 'later' => $failure );
		}
	}
	if ( $counts ) {
		add_action( 'user_register', 'wp_maybe_update_user_counts' );
		if ( in_array( null, array_column( $batch['plans'], 'member' ), true ) ) {
			wp_maybe_update_user_counts();
		}
	}
	return $answers;
}

/**
 * Names the code that failed, without its message, which may hold personal data.
 *
 * @param Throwable $error The error.
 * @return string
 */
function memberhook_describe_failure( $error ) {
	$file = str_replace( wp_normalize_path( WP_CONTENT_DIR ) . '/', '', wp_normalize_path( $error->getFile() ) );
	return sprintf(
		'Code of the WordPress site failed over this member: %1$s in %2$s, line %3$d. Nothing of it was kept.',
		get_class( $error ),
		$file,
		$error->getLine()
	);
}

/**
 * Applies one plan in one database transaction, then sends the welcome e-mail.
 *
 * @param array $plan  See `memberhook_plan_schema()`.
 * @param array $batch The batch that the plan belongs to.
 * @return array
 * @throws Memberhook_Rejection If the plan cannot be applied.
 * @throws Throwable What other plugins throw. Nothing is kept then.
 */
function memberhook_apply_one( $plan, $batch ) {
	global $wpdb;
	$creates = null === $plan['member'];
	if ( $creates && ! ( $plan['login'] && $plan['email'] && $plan['password'] ) ) {
		throw new Memberhook_Rejection( 'error', 'A new member needs a username, an e-mail address and a password.' );
	}
	$locks   = memberhook_lock( $creates ? array( $plan['email'], $plan['login'] ) : array_filter( array( $plan['email'] ) ) );
	$user_id = (int) $plan['member'];
	$note_id = function ( $meta, $user ) use ( &$user_id ) {
		$user_id = $user_id ? $user_id : $user->ID; // The first one: other code may insert users, too.
		return $meta;
	};
	add_filter( 'insert_user_meta', $note_id, 10, 2 );
	$wpdb->query( 'START TRANSACTION' );
	$wpdb->query( 'SAVEPOINT memberhook' );
	try {
		$answer = $creates ? memberhook_create( $plan, $batch ) : memberhook_change( $plan, $batch );
		memberhook_check_transaction( $user_id, $creates );
		$wpdb->query( 'COMMIT' );
	} catch ( Throwable $error ) {
		$cached = memberhook_cached_rows( $user_id );
		$wpdb->query( 'ROLLBACK' );
		memberhook_clean_cache( $user_id, $cached );
		throw $error;
	} finally {
		remove_filter( 'insert_user_meta', $note_id );
		memberhook_unlock( $locks );
	}
	$problem = $plan['welcome'] || $plan['is_retry'] ? memberhook_send_welcome( $user_id ) : '';
	if ( $problem ) {
		$answer['warnings'][] = $problem;
	}
	return $answer;
}

/**
 * Rejects the plan if the database has rolled the transaction back by itself (a deadlock), which wpdb does not report.
 *
 * The savepoint is gone then. It is also gone if other code has altered tables, which commits; the member exists then.
 *
 * @param int  $user_id The member.
 * @param bool $creates Whether the plan creates it.
 * @throws Memberhook_Rejection If so.
 */
function memberhook_check_transaction( $user_id, $creates ) {
	global $wpdb;
	$suppress = $wpdb->suppress_errors();
	$intact   = $wpdb->query( 'RELEASE SAVEPOINT memberhook' );
	$wpdb->suppress_errors( $suppress );
	if ( false !== $intact ) {
		return;
	}
	$exists = $wpdb->get_var( $wpdb->prepare( "SELECT ID FROM $wpdb->users WHERE ID = %d", $user_id ) );
	if ( $creates && ! $exists ) {
		$wpdb->delete( $wpdb->usermeta, array( 'user_id' => $user_id ) ); // Rows written after the rollback.
	}
	if ( ! $creates || ! $exists ) {
		throw new Memberhook_Rejection( 'stale' );
	}
}

/**
 * The rows of the users table that the object cache may hold under the id: as changed by us, and as changed by others.
 *
 * @param int $user_id The user.
 * @return object[]
 */
function memberhook_cached_rows( $user_id ) {
	global $wpdb;
	$rows = array(
		wp_cache_get( $user_id, 'users' ),
		$user_id ? $wpdb->get_row( $wpdb->prepare( "SELECT * FROM $wpdb->users WHERE ID = %d", $user_id ) ) : null,
	);
	return array_filter( $rows, 'is_object' );
}

/**
 * Clears what the object cache holds of one user whose change was rolled back.
 *
 * These are WordPress's own entries: the user, their meta, the look-ups by login, e-mail address and slug (old and new
 * ones), and, through `last_changed`, cached user queries. What other plugins cache under keys of their own is not known;
 * those that follow WordPress clear it on the action `clean_user_cache`, which runs here. Flushing the whole cache for
 * one member would cost every visitor of the site.
 *
 * @param int      $user_id The user; 0 for none.
 * @param object[] $rows    Rows of the users table from before the rollback.
 */
function memberhook_clean_cache( $user_id, $rows = array() ) {
	if ( ! $user_id ) {
		return;
	}
	foreach ( $rows as $row ) {
		clean_user_cache( new WP_User( $row ) );
	}
	wp_cache_delete( $user_id, 'users' );
	wp_cache_delete( $user_id, 'user_meta' );
	clean_user_cache( $user_id ); // As the database has it now; does nothing if the user does not exist.
	wp_cache_delete( $user_id, 'users' );
	wp_cache_delete( $user_id, 'user_meta' );
	wp_cache_set( 'last_changed', microtime(), 'users' );
}

/**
 * Takes a lock for each value, so that two batches never give one e-mail address or username to two members:
 * WordPress's tables have no unique index on either.
 *
 * @param string[] $values E-mail addresses and usernames.
 * @return string[] Names of the locks.
 * @throws Memberhook_Rejection If another batch holds one of them for too long.
 */
function memberhook_lock( $values ) {
	global $wpdb;
	$names = array();
	foreach ( $values as $value ) {
		$names[] = 'memberhook:' . md5( DB_NAME . $wpdb->users . strtolower( remove_accents( $value ) ) );
	}
	$names = array_values( array_unique( $names ) );
	sort( $names ); // Always in the same order, so that two batches never wait for each other.
	foreach ( $names as $number => $name ) {
		if ( '1' !== $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 5)', $name ) ) ) {
			memberhook_unlock( array_slice( $names, 0, $number ) );
			throw new Memberhook_Rejection( 'stale' );
		}
	}
	return $names;
}

/**
 * Releases locks.
 *
 * @param string[] $names As returned by `memberhook_lock()`.
 */
function memberhook_unlock( $names ) {
	global $wpdb;
	foreach ( $names as $name ) {
		$wpdb->query( $wpdb->prepare( 'DO RELEASE_LOCK(%s)', $name ) );
	}
}
