<?php
/**
 * Reading members: by id, contact or e-mail address, and page by page.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Finds members by id, contact or e-mail address, and the usernames that no new member can have.
 *
 * @param array $query connection; the lists ids, contacts, emails (lower case), `logins` (usernames), fields; wp_fusion (slug or "").
 * @return array members, emails (address => ids), contacts (contact => id), taken (usernames).
 */
function memberhook_find( $query ) {
	$emails   = memberhook_ids_by_email( $query['emails'] );
	$contacts = memberhook_ids_by_contact( $query['contacts'], $query['connection'] );
	$ids      = array_map( 'intval', array_merge( $query['ids'], array_values( $contacts ), ...array_values( $emails ) ) );
	$ids      = array_values( array_unique( $ids ) );
	$members  = array();
	cache_users( $ids );
	foreach ( $ids as $id ) {
		$user = get_userdata( $id );
		if ( $user ) {
			$member                 = memberhook_member( $user, $query['connection'], $query['fields'] );
			$member['needs_repair'] = memberhook_needs_repair( $id, $query['connection'], $query['wp_fusion'] );
			$members[]              = $member;
		}
	}
	return array(
		'members'  => $members,
		'emails'   => (object) $emails,
		'contacts' => (object) $contacts,
		'taken'    => memberhook_unavailable_usernames( $query['logins'] ),
	);
}

/**
 * The members that have these e-mail addresses.
 *
 * @param string[] $emails In lower case.
 * @return array<string, string[]> Ids by address.
 */
function memberhook_ids_by_email( $emails ) {
	global $wpdb;
	$found = array();
	if ( ! $emails ) {
		return $found;
	}
	$rows = $wpdb->get_results(
		$wpdb->prepare(
			sprintf(
				"SELECT ID, user_email FROM $wpdb->users WHERE user_email IN (%s) ORDER BY ID",
				implode( ',', array_fill( 0, count( $emails ), '%s' ) )
			),
			$emails
		)
	);
	foreach ( (array) $rows as $row ) {
		$email = memberhook_lower( $row->user_email );
		// The database also finds addresses that differ in accents. Those belong to other people.
		if ( in_array( $email, $emails, true ) ) {
			$found[ $email ][] = (string) $row->ID;
		}
	}
	return $found;
}

/**
 * The members that are linked to these contacts.
 *
 * @param string[] $contacts   Ids in the CRM.
 * @param string   $connection The connection that the contacts come from.
 * @return array<string, string> Member id by contact id.
 */
function memberhook_ids_by_contact( $contacts, $connection ) {
	global $wpdb;
	$found = array();
	if ( ! $contacts ) {
		return $found;
	}
	$rows = $wpdb->get_results(
		$wpdb->prepare(
			sprintf(
				"SELECT user_id, meta_value FROM $wpdb->usermeta WHERE meta_value IN (%s) AND meta_key = %%s ORDER BY umeta_id",
				implode( ',', array_fill( 0, count( $contacts ), '%s' ) )
			),
			array_merge( $contacts, array( memberhook_meta_key( "memberhook_contact_$connection" ) ) )
		)
	);
	foreach ( (array) $rows as $row ) {
		$found[ (string) $row->meta_value ] = (string) $row->user_id;
	}
	return $found;
}

/**
 * The usernames that no new member can have: taken, or not allowed on this site.
 *
 * @param string[] $usernames The usernames that Memberhook considers.
 * @return string[] In lower case.
 */
function memberhook_unavailable_usernames( $usernames ) {
	global $wpdb;
	/** This filter is documented in wp-includes/user.php */
	$taken = array_map( 'strtolower', (array) apply_filters( 'illegal_user_logins', array() ) ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals.NonPrefixedHooknameFound -- WordPress's own filter.
	if ( $usernames ) {
		$found = $wpdb->get_col(
			$wpdb->prepare(
				sprintf(
					"SELECT user_login FROM $wpdb->users WHERE user_login IN (%s)",
					implode( ',', array_fill( 0, count( $usernames ), '%s' ) )
				),
				$usernames
			)
		);
		foreach ( $found as $username ) {
			$taken[] = strtolower( remove_accents( $username ) );
		}
	}
	$unavailable = array();
	foreach ( $usernames as $username ) {
		if ( in_array( strtolower( $username ), $taken, true ) || ! validate_username( $username ) ) {
			$unavailable[] = strtolower( $username );
		}
	}
	return $unavailable;
}

/**
 * Lists the members of this site in the order of their ids, page by page, or those with these e-mail addresses.
 *
 * @param WP_REST_Request $request after (an id), limit, fields, emails.
 * @return array
 */
function memberhook_list( WP_REST_Request $request ) {
	$restrict = function ( $query ) use ( $request ) {
		global $wpdb;
		$query->query_where .= $wpdb->prepare( " AND $wpdb->users.ID > %d", $request['after'] );
		if ( $request['emails'] ) {
			$query->query_where .= $wpdb->prepare(
				sprintf(
					" AND $wpdb->users.user_email IN (%s)",
					implode( ',', array_fill( 0, count( $request['emails'] ), '%s' ) )
				),
				$request['emails']
			);
		}
	};
	add_action( 'pre_user_query', $restrict );
	$users = get_users(
		array(
			'orderby'     => 'ID',
			'number'      => $request['limit'],
			'count_total' => false,
		)
	);
	remove_action( 'pre_user_query', $restrict );
	$fields  = array_merge( array( 'first_name', 'last_name', 'display_name' ), $request['fields'] );
	$members = array();
	foreach ( $users as $user ) {
		$members[] = array( 'held' => memberhook_tags( $user->ID ) ) + memberhook_member( $user, '', $fields );
	}
	return array( 'members' => $members );
}

/**
 * A member as Memberhook reads it.
 *
 * @param WP_User  $user       The member.
 * @param string   $connection The connection whose tags are included.
 * @param string[] $fields     The fields to include.
 * @return array
 */
function memberhook_member( WP_User $user, $connection, $fields ) {
	$tags = array();
	foreach ( memberhook_tag_ids( $user->ID, $connection ) as $id ) {
		$tags[] = memberhook_tag( $connection, $id );
	}
	$values = array();
	foreach ( $fields as $field ) {
		$value = memberhook_is_closed_key( $field ) ? null : memberhook_field_value( $user, $field );
		if ( null !== $value ) {
			$values[ $field ] = $value;
		}
	}
	return array(
		'id'              => (string) $user->ID,
		'login'           => $user->user_login,
		'email'           => $user->user_email,
		'roles'           => memberhook_roles_of( $user ),
		'protected'       => memberhook_is_protected( $user ),
		'network_user'    => is_multisite() && ! is_user_member_of_blog( $user->ID ),
		'tags'            => $tags,
		'fields'          => (object) $values,
		'idempotency_key' => (string) get_user_meta( $user->ID, memberhook_meta_key( '_memberhook_idempotency_key' ), true ),
	);
}

/**
 * The roles of a member as strings: PHP turns a role called `2024` into a number.
 *
 * @param WP_User $user The member.
 * @return string[]
 */
function memberhook_roles_of( WP_User $user ) {
	return array_map( 'strval', array_values( $user->roles ) );
}

/**
 * The value of a field.
 *
 * @param WP_User $user  The member.
 * @param string  $field Name of the field.
 * @return string|string[]|null Null if there is no value of a type that a CRM can set.
 */
function memberhook_field_value( WP_User $user, $field ) {
	if ( in_array( $field, MEMBERHOOK_CORE_FIELDS, true ) ) {
		// WordPress stores `&`, `<` and `>` in names as entities; Memberhook works with plain text.
		return wp_specialchars_decode( (string) $user->get( $field ), ENT_NOQUOTES );
	}
	if ( ! metadata_exists( 'user', $user->ID, $field ) ) {
		return null;
	}
	$value = get_user_meta( $user->ID, $field, true );
	if ( is_array( $value ) && array_filter( $value, 'is_scalar' ) === $value ) {
		return array_map( 'strval', array_values( $value ) );
	}
	return is_scalar( $value ) ? (string) $value : null;
}

/**
 * Whether WP Fusion's meta keys differ from ours: they have been switched on since, or somebody has changed them.
 *
 * @param int    $user_id    The user.
 * @param string $connection The connection.
 * @param string $slug       WP Fusion's slug of the CRM; "" if its keys are not used.
 * @return bool
 */
function memberhook_needs_repair( $user_id, $connection, $slug ) {
	$contact = get_user_meta( $user_id, memberhook_meta_key( "memberhook_contact_$connection" ), true );
	if ( '' === $slug || '' === $contact ) {
		return false;
	}
	$tags = get_user_meta( $user_id, $slug . '_tags', true );
	return memberhook_tag_ids( $user_id, $connection ) !== $tags || get_user_meta( $user_id, $slug . '_contact_id', true ) !== $contact;
}

/**
 * Converts to lower case, beyond ASCII if PHP can.
 *
 * @param string $text The text.
 * @return string
 */
function memberhook_lower( $text ) {
	return function_exists( 'mb_strtolower' ) ? mb_strtolower( $text ) : strtolower( $text );
}
