<?php
/**
 * Carrying out one plan: creating a member, changing a member.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/** Lengths of columns of the users table, in characters. */
const MEMBERHOOK_LENGTHS = array(
	'display_name'  => 250,
	'user_url'      => 100,
	'user_nicename' => 50,
);

/**
 * Creates a member.
 *
 * @param array $plan  See `memberhook_plan_schema()`.
 * @param array $batch The batch that the plan belongs to.
 * @return array
 * @throws Memberhook_Rejection If the plan cannot be applied.
 */
function memberhook_create( $plan, $batch ) {
	memberhook_check_email( $plan['email'] );
	if ( sanitize_user( $plan['login'], true ) !== $plan['login'] ) {
		throw new Memberhook_Rejection( 'stale' );
	}
	$warnings = array();
	$data     = memberhook_core_data( $plan['fields'], $warnings );
	$role     = memberhook_is_grantable( $plan['role'], $warnings ) ? $plan['role'] : '';
	$meta     = array();
	foreach ( memberhook_meta_fields( $plan['fields'], $warnings ) as $key => $value ) {
		if ( null !== $value ) {
			$meta[ $key ] = $value;
		}
	}
	$written = array_keys( $data + $meta );

	$meta[ memberhook_meta_key( '_memberhook_idempotency_key' ) ] = $plan['key'];
	if ( $plan['welcome'] ) {
		$meta[ memberhook_meta_key( '_memberhook_welcome' ) ] = $plan['key'];
	}
	$data   += array(
		'user_login' => $plan['login'],
		'user_email' => $plan['email'],
		'user_pass'  => $plan['password'],
		'role'       => $role,
		'meta_input' => $meta + memberhook_tag_meta( $plan, array(), $batch ),
	);
	$user_id = memberhook_insert( $data, $plan['generated'] && ! $batch['full_cost_hash'] );
	$user    = get_userdata( $user_id );
	if ( ! $user ) {
		throw new Memberhook_Rejection( 'error', 'WordPress did not store the member: its database refused a value.' );
	}
	if ( is_multisite() ) {
		add_user_to_blog( get_current_blog_id(), $user_id, $role );
	}
	memberhook_change_roles( $user, $plan, $warnings );

	/**
	 * Fires after a member has been created, before the change is committed. An exception takes it back.
	 *
	 * @param int    $user_id    The member.
	 * @param string $connection The connection in Memberhook.
	 */
	do_action( 'memberhook_member_created', $user_id, $batch['connection'] );
	memberhook_do_tag_actions( $user_id, $plan, array(), $batch );
	return array(
		'id'       => (string) $user_id,
		'login'    => $user->user_login,
		'email'    => $user->user_email,
		'created'  => true,
		'changes'  => memberhook_changed_names( $plan, $written ),
		'warnings' => $warnings,
	);
}

/**
 * Inserts the user.
 *
 * A generated password has 120 random bits or more, and no slow hash makes it safer. From WordPress 6.8 on its first hash
 * is a cheap one; WordPress hashes it again at full cost at the first log-in.
 *
 * @param array $data  For `wp_insert_user()`, not slashed.
 * @param bool  $cheap Whether the first hash may be cheap.
 * @return int
 * @throws Memberhook_Rejection If WordPress refuses the user.
 */
function memberhook_insert( $data, $cheap ) {
	$cost = function ( $options, $algorithm = PASSWORD_BCRYPT ) {
		return PASSWORD_BCRYPT === $algorithm ? array( 'cost' => 4 ) + (array) $options : $options;
	};
	if ( $cheap ) {
		add_filter( 'wp_hash_password_options', $cost, 99, 2 );
	}
	try {
		$user_id = Memberhook_New_User_Meta::insert( wp_slash( $data ) );
	} finally {
		remove_filter( 'wp_hash_password_options', $cost, 99 );
	}
	if ( ! is_wp_error( $user_id ) ) {
		return $user_id;
	}
	if ( 'existing_user_login' === $user_id->get_error_code() ) {
		throw new Memberhook_Rejection( 'stale' );
	}
	if ( 'existing_user_email' === $user_id->get_error_code() ) {
		memberhook_check_holder( $data['user_email'], 0 );
	}
	throw new Memberhook_Rejection( 'error', memberhook_explain_error( $user_id ) );
}

/**
 * Changes a member.
 *
 * @param array $plan  See `memberhook_plan_schema()`.
 * @param array $batch The batch that the plan belongs to.
 * @return array
 * @throws Memberhook_Rejection If the plan cannot be applied.
 */
function memberhook_change( $plan, $batch ) {
	global $wpdb;
	$user_id = (int) $plan['member'];
	// Whoever changes the same member at the same time waits here; the cache may be out of date by then.
	$row = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM $wpdb->users WHERE ID = %d FOR UPDATE", $user_id ) );
	wp_cache_delete( $user_id, 'users' );
	wp_cache_delete( $user_id, 'user_meta' );
	if ( ! $row ) {
		throw new Memberhook_Rejection( 'stale' );
	}
	update_user_caches( $row );
	$user = get_userdata( $user_id );
	if ( memberhook_is_connector_account( $user ) ) {
		throw new Memberhook_Rejection( 'error', 'This is the account that Memberhook itself logs in with. No webhook changes it.' );
	}
	if ( ! memberhook_is_connector() && ! current_user_can( 'edit_user', $user_id ) ) {
		throw new Memberhook_Rejection( 'error', 'The WordPress user that Memberhook logs in as may not edit this member.' );
	}
	$warnings = array();
	$plan     = memberhook_restrict_plan( $user, $plan, $warnings );
	$before   = memberhook_tag_ids( $user_id, $batch['connection'] );
	$changes  = memberhook_change_fields( $user, $plan, $warnings );
	$one      = memberhook_change_role( $user, $plan, $warnings );
	$others   = memberhook_change_roles( $user, $plan, $warnings );
	if ( $one || $others ) {
		$changes[] = 'role';
	}
	foreach ( memberhook_tag_meta( $plan, $before, $batch ) as $key => $value ) {
		update_user_meta( $user_id, $key, wp_slash( $value ) );
	}
	if ( memberhook_tags_after( $plan, $before ) !== $before ) {
		$changes[] = 'tags';
	}
	$changes = memberhook_changed_names( $plan, $changes );
	if ( $changes ) {
		/**
		 * Fires after a member has been changed, before the change is committed. An exception takes it back.
		 *
		 * @param int      $user_id    The member.
		 * @param string[] $changes    Names of what changed.
		 * @param string   $connection The connection in Memberhook.
		 */
		do_action( 'memberhook_member_updated', $user_id, $changes, $batch['connection'] );
	}
	memberhook_do_tag_actions( $user_id, $plan, $before, $batch );
	$user = WP_User::get_data_by( 'id', $user_id );
	$key  = $plan['is_retry'] ? get_user_meta( $user_id, memberhook_meta_key( '_memberhook_idempotency_key' ), true ) : '';
	return array(
		'id'       => (string) $user_id,
		'login'    => $user->user_login,
		'email'    => $user->user_email,
		'created'  => $plan['is_retry'] && $key === $plan['key'],
		'changes'  => $changes,
		'warnings' => $warnings,
	);
}

/**
 * Removes from a plan what may not be changed: of a protected member the e-mail address, password and roles, and roles
 * that the logged-in user may not change.
 *
 * @param WP_User $user     The member.
 * @param array   $plan     The plan.
 * @param array   $warnings Collects what could not be done.
 * @return array The rest of the plan.
 */
function memberhook_restrict_plan( WP_User $user, $plan, &$warnings ) {
	$closed = array(
		'role'          => null,
		'roles_added'   => array(),
		'roles_removed' => array(),
	);
	$reason = 'The WordPress user that Memberhook logs in as may not change the roles of this member.';
	if ( memberhook_is_protected( $user ) ) {
		$closed += array(
			'email'    => null,
			'password' => null,
		);
		$reason  = 'The account has privileges on the WordPress site; its e-mail, password and roles stay as they are.';
	} elseif ( memberhook_is_connector() || current_user_can( 'promote_user', $user->ID ) ) {
		return $plan;
	}
	if ( array_filter( array_intersect_key( $plan, $closed ) ) ) {
		$warnings[] = $reason;
	}
	return $closed + $plan;
}

/**
 * Writes the e-mail address, password and fields where they differ.
 *
 * @param WP_User $user     The member.
 * @param array   $plan     The plan.
 * @param array   $warnings Collects what could not be done.
 * @return string[] The names of what changed.
 * @throws Memberhook_Rejection If WordPress refuses the change.
 */
function memberhook_change_fields( WP_User $user, $plan, &$warnings ) {
	$data    = array();
	$changes = array();
	foreach ( memberhook_core_data( $plan['fields'], $warnings ) as $field => $value ) {
		if ( memberhook_field_value( $user, $field ) !== $value ) {
			$data[ $field ] = $value;
		}
	}
	if ( null !== $plan['email'] && $plan['email'] !== $user->user_email ) {
		memberhook_check_email( $plan['email'] );
		memberhook_check_holder( $plan['email'], $user->ID );
		$data['user_email'] = $plan['email'];
	}
	if ( null !== $plan['password'] && ! wp_check_password( wp_slash( $plan['password'] ), $user->user_pass, $user->ID ) ) {
		$data['user_pass'] = $plan['password'];
	}
	if ( $data ) {
		$done = wp_update_user( wp_slash( array( 'ID' => $user->ID ) + $data ) );
		if ( is_wp_error( $done ) ) {
			throw new Memberhook_Rejection( 'error', memberhook_explain_error( $done ) );
		}
		$changes = array_keys( $data );
	}
	return array_merge( $changes, memberhook_change_meta( $user, memberhook_meta_fields( $plan['fields'], $warnings ) ) );
}

/**
 * Writes the fields that are user meta where they differ.
 *
 * @param WP_User $user   The member.
 * @param array   $fields Field => text, list or null (which deletes it).
 * @return string[] The names of what changed.
 */
function memberhook_change_meta( WP_User $user, $fields ) {
	$changes = array();
	foreach ( $fields as $key => $value ) {
		$held = memberhook_field_value( $user, $key );
		if ( $held === $value ) {
			continue;
		}
		if ( null === $value ? delete_user_meta( $user->ID, $key ) : update_user_meta( $user->ID, $key, wp_slash( $value ) ) ) {
			$changes[] = $key;
		}
	}
	return $changes;
}

/**
 * The fields that are user meta and not closed.
 *
 * @param array $fields   Field => text, list or null.
 * @param array $warnings Collects closed fields.
 * @return array
 */
function memberhook_meta_fields( $fields, &$warnings ) {
	$open = array();
	foreach ( array_diff_key( $fields, array_flip( MEMBERHOOK_CORE_FIELDS ) ) as $key => $value ) {
		if ( memberhook_is_closed_key( (string) $key ) ) {
			$warnings[] = sprintf( 'The connector writes no field %s: remove it from the hook\'s field map.', $key );
		} else {
			$open[ $key ] = $value;
		}
	}
	return $open;
}

/**
 * The fields that `wp_insert_user()` writes, if WordPress can hold their values.
 *
 * @param array $fields   Field => text, list or null (which deletes it).
 * @param array $warnings Collects values that were left out.
 * @return string[]
 */
function memberhook_core_data( $fields, &$warnings ) {
	$data = array();
	foreach ( array_intersect_key( $fields, array_flip( MEMBERHOOK_CORE_FIELDS ) ) as $field => $value ) {
		$text = is_array( $value ) ? implode( ', ', $value ) : (string) $value;
		if ( 'locale' === $field && ! in_array( $text, array_merge( array( '', 'en_US' ), get_available_languages() ), true ) ) {
			// WordPress builds a path from it, to files that it runs.
			$warnings[] = 'The WordPress site has no such language as the contact\'s value for locale, so it stays as it is.';
			continue;
		}
		if ( isset( MEMBERHOOK_LENGTHS[ $field ] ) && mb_strlen( $text ) > MEMBERHOOK_LENGTHS[ $field ] ) {
			$warnings[] = sprintf(
				'The contact\'s value for %1$s is longer than the %2$d characters that WordPress holds, so it stays as it is.',
				$field,
				MEMBERHOOK_LENGTHS[ $field ]
			);
			continue;
		}
		$data[ $field ] = $text;
	}
	return $data;
}

/**
 * Whether the role may be granted: it exists, it is not privileged, and the logged-in user may grant it.
 *
 * @param string|null $role     Its slug.
 * @param array       $warnings Collects why not.
 * @return bool
 */
function memberhook_is_grantable( $role, &$warnings ) {
	if ( null === $role || '' === $role ) {
		return false;
	}
	$roles = memberhook_roles();
	if ( ! isset( $roles[ $role ] ) ) {
		$warnings[] = sprintf( 'The WordPress site has no role %s, so it was not given.', $role );
		return false;
	}
	if ( $roles[ $role ]['privileged'] ) {
		$warnings[] = sprintf( 'The role %s has privileges; the connector gives it to nobody.', $role );
		return false;
	}
	if ( memberhook_is_connector() ) {
		return true; // Which roles that user may edit is a rule for people who log in to wp-admin.
	}
	require_once ABSPATH . 'wp-admin/includes/user.php';
	if ( ! array_key_exists( $role, get_editable_roles() ) ) {
		$warnings[] = sprintf( 'The WordPress user that Memberhook logs in as may not give the role %s.', $role );
		return false;
	}
	return true;
}

/**
 * Sets the member's main role. A user of the network joins this site by it.
 *
 * @param WP_User $user     The member.
 * @param array   $plan     The plan.
 * @param array   $warnings Collects what could not be done.
 * @return bool Whether anything changed.
 */
function memberhook_change_role( WP_User $user, $plan, &$warnings ) {
	$joins = is_multisite() && ! is_user_member_of_blog( $user->ID );
	if ( null === $plan['role'] || ( array( $plan['role'] ) === memberhook_roles_of( $user ) && ! $joins ) ) {
		return false;
	}
	if ( ! memberhook_is_grantable( $plan['role'], $warnings ) ) {
		return false;
	}
	if ( $joins ) {
		add_user_to_blog( get_current_blog_id(), $user->ID, $plan['role'] );
		$user->for_site(); // Reads the roles again.
	} else {
		$user->set_role( $plan['role'] );
	}
	return true;
}

/**
 * Adds and removes further roles.
 *
 * @param WP_User $user     The member.
 * @param array   $plan     The plan.
 * @param array   $warnings Collects what could not be done.
 * @return bool Whether anything changed.
 */
function memberhook_change_roles( WP_User $user, $plan, &$warnings ) {
	$before = $user->roles;
	foreach ( array_diff( $plan['roles_added'], $user->roles ) as $role ) {
		if ( memberhook_is_grantable( $role, $warnings ) ) {
			$user->add_role( $role );
		}
	}
	foreach ( array_intersect( $plan['roles_removed'], $user->roles ) as $role ) {
		$user->remove_role( $role );
	}
	return array_values( $before ) !== array_values( $user->roles );
}

/**
 * The tag ids that the member has after the plan.
 *
 * @param array    $plan   The plan.
 * @param string[] $before The ids before.
 * @return string[]
 */
function memberhook_tags_after( $plan, $before ) {
	$applied = array_map( 'strval', wp_list_pluck( $plan['tags_applied'], 'id' ) );
	$removed = array_map( 'strval', wp_list_pluck( $plan['tags_removed'], 'id' ) );
	return array_values( array_unique( array_merge( array_diff( $before, $removed ), $applied ) ) );
}

/**
 * The user meta of contact and tags to write, under our own keys and (if wanted) those of WP Fusion.
 *
 * @param array    $plan   The plan.
 * @param string[] $before The tag ids before.
 * @param array    $batch  The batch that the plan belongs to.
 * @return array
 */
function memberhook_tag_meta( $plan, $before, $batch ) {
	$after = memberhook_tags_after( $plan, $before );
	$meta  = array();
	if ( '' !== $plan['contact'] ) {
		$meta[ memberhook_meta_key( 'memberhook_contact_' . $batch['connection'] ) ] = $plan['contact'];
	}
	if ( $after !== $before ) {
		$meta[ memberhook_meta_key( 'memberhook_tags_' . $batch['connection'] ) ] = $after;
	}
	if ( $batch['wp_fusion'] ) {
		// WP Fusion searches the stored value for `"10"`, so the ids are strings.
		$meta[ $batch['wp_fusion'] . '_tags' ] = $after;
		if ( '' !== $plan['contact'] ) {
			$meta[ $batch['wp_fusion'] . '_contact_id' ] = $plan['contact'];
		}
	}
	return $meta;
}

/**
 * Runs the actions for tags that were applied or removed.
 *
 * @param int      $user_id The member.
 * @param array    $plan    The plan.
 * @param string[] $before  The tag ids before.
 * @param array    $batch   The batch it came in.
 */
function memberhook_do_tag_actions( $user_id, $plan, $before, $batch ) {
	$after   = memberhook_tags_after( $plan, $before );
	$applied = array();
	$removed = array();
	foreach ( array_diff( $after, $before ) as $id ) {
		$applied[] = memberhook_tag( $batch['connection'], $id );
	}
	foreach ( array_diff( $before, $after ) as $id ) {
		$removed[] = memberhook_tag( $batch['connection'], $id );
	}
	if ( $applied ) {
		/**
		 * Fires after tags have been applied, before the change is committed. An exception takes it back.
		 *
		 * @param int     $user_id    The member.
		 * @param array[] $applied    The tags, each with id, slug, title.
		 * @param string  $connection The connection in Memberhook.
		 */
		do_action( 'memberhook_tags_applied', $user_id, $applied, $batch['connection'] );
	}
	if ( $removed ) {
		/**
		 * Fires after tags have been removed, before the change is committed. An exception takes it back.
		 *
		 * @param int     $user_id    The member.
		 * @param array[] $removed    The tags, each with id, slug, title.
		 * @param string  $connection The connection in Memberhook.
		 */
		do_action( 'memberhook_tags_removed', $user_id, $removed, $batch['connection'] );
	}
}

/**
 * What changed, by the names and in the order that Memberhook's outcomes use.
 *
 * @param array    $plan    The plan.
 * @param string[] $changed Names of what changed; for a new member its fields.
 * @return string[]
 */
function memberhook_changed_names( $plan, $changed ) {
	$creates = null === $plan['member'];
	$named   = array();
	if ( $creates || in_array( 'user_email', $changed, true ) ) {
		$named[] = 'user_email';
	}
	if ( ( $creates && $plan['role'] ) || in_array( 'role', $changed, true ) ) {
		$named[] = 'role';
	}
	if ( ( $creates && ! $plan['generated'] ) || in_array( 'user_pass', $changed, true ) ) {
		$named[] = 'user_pass';
	}
	$fields = array_values( array_unique( array_diff( $changed, array( 'user_email', 'role', 'user_pass', 'tags' ) ) ) );
	sort( $fields );
	$tags = ( $creates && $plan['tags_applied'] ) || in_array( 'tags', $changed, true );
	return array_merge( $named, $fields, $tags ? array( 'tags' ) : array() );
}

/**
 * Rejects an e-mail address that WordPress would refuse or alter.
 *
 * @param string $email The address.
 * @throws Memberhook_Rejection If so.
 */
function memberhook_check_email( $email ) {
	if ( ! is_email( $email ) || sanitize_email( $email ) !== $email || strlen( $email ) > 100 ) {
		throw new Memberhook_Rejection(
			'error',
			'WordPress does not take this e-mail address (at most 100 characters, only plain letters): correct it in the '
			. 'CRM, then send the contact again.'
		);
	}
}

/**
 * Rejects an e-mail address that another account has.
 *
 * @param string $email   The address.
 * @param int    $user_id The account that may have it; 0 for none.
 * @throws Memberhook_Rejection If so.
 */
function memberhook_check_holder( $email, $user_id ) {
	$holder = get_user_by( 'email', $email );
	if ( ! $holder || $holder->ID === $user_id ) {
		return;
	}
	if ( memberhook_lower( $holder->user_email ) === memberhook_lower( $email ) ) {
		throw new Memberhook_Rejection( 'stale' );
	}
	throw new Memberhook_Rejection(
		'error',
		'WordPress takes this e-mail address for that of another member, which differs in accents only.'
	);
}

/**
 * Why WordPress refused the member, for the site's owner.
 *
 * @param WP_Error $error Its error.
 * @return string
 */
function memberhook_explain_error( WP_Error $error ) {
	$message = wp_strip_all_tags( $error->get_error_message() );
	return sprintf( 'WordPress refused the member (%1$s): %2$s', $error->get_error_code(), $message );
}
