<?php
/**
 * Plugin Name: Memberhook Connector
 * Description: Lets Memberhook make and change members of this site, many at once, and passes FluentCRM's changes on to Memberhook.
 * Version: 0.1.0
 * Requires at least: 6.0
 * Requires PHP: 7.4
 * License: AGPL-3.0-or-later
 * Text Domain: memberhook-connector
 *
 * One file, so that it can be read before it is trusted. Parts: 1 rules (what no CRM may touch), 2 members (find, apply),
 * 3 REST routes, 4 passing FluentCRM's changes on, 5 the page in wp-admin.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

const MEMBERHOOK_VERSION = '0.1.0';

// ---------------------------------------------------------------------------------------------------------------------
// 1 Rules: what no CRM may touch, whatever Memberhook is told. Memberhook has the same rules; they stand on both sides.

/**
 * Capabilities that make a role privileged: managing users, settings, code or others' content.
 *
 * The same table as `sites/wordpress/capabilities.py`; a test compares the two.
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
);

/** Capabilities that one who has privileges by other code's filter (`user_has_cap`) has one of. */
const MEMBERHOOK_TELLING = array( 'manage_options', 'edit_users', 'edit_others_posts' );

/**
 * Whether the capability makes its holder privileged.
 *
 * @param string $capability Its name.
 * @return bool
 */
function memberhook_is_privileged_capability( $capability ) {
	$privileged = (bool) preg_match( '/' . implode( '|', MEMBERHOOK_PRIVILEGED ) . '/i', $capability );

	/**
	 * Filters whether a capability makes its holder privileged, for capabilities of other plugins.
	 *
	 * @param bool   $privileged
	 * @param string $capability
	 */
	return (bool) apply_filters( 'memberhook_is_privileged_capability', $privileged, $capability );
}

/**
 * Whether any of these capabilities is granted and privileged.
 *
 * @param array $capabilities Name => granted, as roles and users keep them.
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
 * The roles of this site: slug, title, privileged.
 *
 * @return array[]
 */
function memberhook_roles() {
	static $roles = array();
	$blog         = get_current_blog_id();
	if ( ! isset( $roles[ $blog ] ) ) {
		$roles[ $blog ] = array();
		foreach ( wp_roles()->roles as $slug => $role ) {
			$roles[ $blog ][ $slug ] = array(
				'slug'       => (string) $slug,
				'title'      => translate_user_role( $role['name'] ),
				'privileged' => memberhook_has_privileges( array( $slug => true ) + (array) ( $role['capabilities'] ?? array() ) ),
			);
		}
	}
	return $roles[ $blog ];
}

/**
 * Whether the account is protected: it has privileges here, or on another site of the network.
 *
 * @param WP_User $user The account.
 * @return bool
 */
function memberhook_is_protected( WP_User $user ) {
	if ( memberhook_has_privileges( $user->allcaps ) || ( is_multisite() && is_super_admin( $user->ID ) ) ) {
		return true;
	}
	foreach ( MEMBERHOOK_TELLING as $capability ) {
		if ( user_can( $user, $capability ) ) { // Other code gives rights as they are asked for.
			return true;
		}
	}
	return is_multisite() && memberhook_is_privileged_elsewhere( $user->ID );
}

/**
 * Whether the account has privileges on another site of the network: who can set its password there can use them.
 *
 * @param int $user_id The account.
 * @return bool
 */
function memberhook_is_privileged_elsewhere( $user_id ) {
	global $wpdb;
	$pattern = '/^' . preg_quote( $wpdb->base_prefix, '/' ) . '(?:(\d+)_)?capabilities$/';
	foreach ( get_user_meta( $user_id ) as $key => $values ) {
		if ( ! preg_match( $pattern, $key, $found ) ) {
			continue;
		}
		$held  = array_filter( (array) maybe_unserialize( $values[0] ) );
		$blog  = empty( $found[1] ) ? get_main_site_id() : (int) $found[1];
		$roles = get_blog_option( $blog, $wpdb->get_blog_prefix( $blog ) . 'user_roles', array() );
		foreach ( array_keys( $held ) as $name ) {
			$capabilities = isset( $roles[ $name ]['capabilities'] ) ? $roles[ $name ]['capabilities'] : array();
			if ( memberhook_has_privileges( array( $name => true ) + $capabilities ) ) {
				return true;
			}
		}
	}
	return false;
}

/**
 * Whether no CRM may ever set this field of a user.
 *
 * @param string $key A user meta key, or a column of the users table.
 * @return bool
 */
function memberhook_is_closed_key( $key ) {
	if ( preg_match( '/[^\x20-\x7e]/', $key ) ) {
		return true; // The database takes many letters for others (ｃ for c), and so one key for another.
	}
	$core = strtolower( trim( $key ) );
	if ( $core !== $key && in_array( $core, MEMBERHOOK_CORE_FIELDS, true ) ) {
		return true; // `Locale` would be written where `locale` is, and without the checks of it.
	}
	$plain  = preg_replace( '/[^a-z0-9_]/', '', strtolower( remove_accents( $key ) ) );
	$closed = '/^(|_.*|(.*_)?memberhook_.*|id|user_login|user_email|user_pass|user_registered|user_activation_key|user_status'
		. '|spam|deleted|role|roles|caps|allcaps|cap_key|capabilities|user_level|session_tokens|primary_blog|source_domain'
		. '|.*capabilities|.*user_level)$/'; // After a table prefix, which need not end in `_`.
	return 1 === preg_match( $closed, $plain );
}

/**
 * The key under which this site keeps something of a user. In a network, users and their meta are shared by all sites.
 *
 * @param string $name Like `memberhook_tags_shop`.
 * @return string
 */
function memberhook_meta_key( $name ) {
	global $wpdb;
	return is_multisite() && ! is_main_site() ? $wpdb->get_blog_prefix() . $name : $name;
}

// ---------------------------------------------------------------------------------------------------------------------
// 2 Members: find many, apply many plans. User meta of ours, per connection (its name in Memberhook):
//   memberhook_contact_<connection>  the CRM's id of the contact
//   memberhook_tags_<connection>     list of the CRM's tag ids, as text
// The option memberhook_tags_<connection> has what the tags are called: id => array( slug, title ).

/** Fields of a user that are not meta, or that WordPress cleans in its own way; all others are user meta. */
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

/** What the columns of the users table hold, in characters. */
const MEMBERHOOK_LENGTHS = array(
	'display_name'  => 250,
	'user_url'      => 100,
	'user_nicename' => 50,
);

/**
 * Whether the user has the tag, for code of the site's owner.
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
 * The tags of the user, of all connections.
 *
 * @param int $user_id The user; 0 for the current one.
 * @return array[] Each with connection, id, slug, title.
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
 * @param string $connection Whose tag it is.
 * @param string $id         The CRM's id.
 * @return array With id, slug, title; an unknown one is called by its id.
 */
function memberhook_tag( $connection, $id ) {
	$catalog = get_option( "memberhook_tags_$connection", array() );
	$known   = isset( $catalog[ $id ] ) ? $catalog[ $id ] : array( (string) $id, (string) $id );
	return array(
		'id'    => (string) $id,
		'slug'  => $known[0],
		'title' => $known[1],
	);
}

/**
 * Takes note of what tags are called now.
 *
 * @param string  $connection Whose tags they are.
 * @param array[] $tags       Each with id, slug, title.
 */
function memberhook_remember_tags( $connection, $tags ) {
	$catalog = get_option( "memberhook_tags_$connection", array() );
	$new     = $catalog;
	foreach ( $tags as $tag ) {
		$new[ (string) $tag['id'] ] = array( (string) $tag['slug'], (string) $tag['title'] );
	}
	if ( $new !== $catalog ) {
		update_option( "memberhook_tags_$connection", $new, false );
	}
}

/**
 * Members by id, contact or e-mail, and which logins no new member can have.
 *
 * @param array $wanted connection; lists: ids, contacts, emails (lower case), logins, fields; wp_fusion (slug or "").
 * @return array members, emails (address => ids), contacts (contact => id), taken.
 */
function memberhook_find( $wanted ) {
	global $wpdb;
	$ids    = array_map( 'intval', $wanted['ids'] );
	$emails = array();
	$query  = "SELECT ID, user_email FROM $wpdb->users WHERE user_email IN (%list%) ORDER BY ID";
	foreach ( memberhook_rows( $query, $wanted['emails'] ) as $row ) {
		// The database finds addresses that differ in accents too; those are somebody else's.
		$email = memberhook_lower( $row->user_email );
		if ( in_array( $email, $wanted['emails'], true ) ) {
			$emails[ $email ][] = (string) $row->ID;
			$ids[]              = (int) $row->ID;
		}
	}
	$contacts = array();
	$key      = memberhook_meta_key( 'memberhook_contact_' . $wanted['connection'] );
	$query    = "SELECT user_id, meta_value FROM $wpdb->usermeta WHERE meta_value IN (%list%) AND meta_key = %s ORDER BY umeta_id";
	foreach ( memberhook_rows( $query, $wanted['contacts'], $key ) as $row ) {
		$contacts[ (string) $row->meta_value ] = (string) $row->user_id;
		$ids[]                                 = (int) $row->user_id;
	}
	$members = array();
	$ids     = array_values( array_unique( $ids ) );
	cache_users( $ids );
	foreach ( $ids as $id ) {
		$user = get_userdata( $id );
		if ( $user ) {
			$unsettled = memberhook_is_unsettled( $id, $wanted['connection'], $wanted['wp_fusion'] );
			$members[] = memberhook_member( $user, $wanted['connection'], $wanted['fields'] ) + array( 'unsettled' => $unsettled );
		}
	}
	return array(
		'members'  => $members,
		'emails'   => (object) $emails,
		'contacts' => (object) $contacts,
		'taken'    => memberhook_taken_logins( $wanted['logins'] ),
	);
}

/**
 * In lower case, also beyond ASCII where PHP can.
 *
 * @param string $text The text.
 * @return string
 */
function memberhook_lower( $text ) {
	return function_exists( 'mb_strtolower' ) ? mb_strtolower( $text ) : strtolower( $text );
}

/**
 * Rows of a query with a list in it.
 *
 * @param string   $query     SQL with `%list%` before any other placeholder.
 * @param string[] $values    The list; nothing is asked when it is empty.
 * @param string   ...$others What stands for the other placeholders.
 * @return object[]
 */
function memberhook_rows( $query, $values, ...$others ) {
	global $wpdb;
	if ( ! $values ) {
		return array();
	}
	$list  = implode( ',', array_fill( 0, count( $values ), '%s' ) );
	$query = str_replace( '%list%', $list, $query );
	return $wpdb->get_results( $wpdb->prepare( $query, array_merge( $values, $others ) ) ); // phpcs:ignore WordPress.DB
}

/**
 * Those of the logins that no new member can have: taken, or not allowed here.
 *
 * @param string[] $logins As they would be.
 * @return string[] In lower case.
 */
function memberhook_taken_logins( $logins ) {
	global $wpdb;
	$taken = array_map( 'strtolower', (array) apply_filters( 'illegal_user_logins', array() ) );
	foreach ( memberhook_rows( "SELECT user_login FROM $wpdb->users WHERE user_login IN (%list%)", $logins ) as $row ) {
		$taken[] = strtolower( remove_accents( $row->user_login ) );
	}
	$unfit = array();
	foreach ( $logins as $login ) {
		if ( in_array( strtolower( $login ), $taken, true ) || ! validate_username( $login ) ) {
			$unfit[] = strtolower( $login );
		}
	}
	return $unfit;
}

/**
 * A member as Memberhook sees it.
 *
 * @param WP_User  $user       The member.
 * @param string   $connection Whose contact, tags and fields are meant.
 * @param string[] $fields     Which fields to tell.
 * @return array
 */
function memberhook_member( WP_User $user, $connection, $fields ) {
	$tags = array();
	foreach ( memberhook_tag_ids( $user->ID, $connection ) as $id ) {
		$tags[] = memberhook_tag( $connection, $id );
	}
	$values = array();
	foreach ( $fields as $field ) {
		$value = memberhook_is_closed_key( $field ) ? null : memberhook_value( $user, $field );
		if ( null !== $value ) {
			$values[ $field ] = $value;
		}
	}
	return array(
		'id'          => (string) $user->ID,
		'login'       => $user->user_login,
		'email'       => $user->user_email,
		'roles'       => memberhook_roles_of( $user ),
		'protected'   => memberhook_is_protected( $user ),
		'elsewhere'   => is_multisite() && ! is_user_member_of_blog( $user->ID ),
		'tags'        => $tags,
		'fields'      => (object) $values,
		'created_for' => (string) get_user_meta( $user->ID, memberhook_meta_key( '_memberhook_created_for' ), true ),
	);
}

/**
 * The roles of a member, as text: PHP makes a number of a role called `2024`.
 *
 * @param WP_User $user The member.
 * @return string[]
 */
function memberhook_roles_of( WP_User $user ) {
	return array_map( 'strval', array_values( $user->roles ) );
}

/**
 * The value of a field: text, a list of texts, or null where it has none that a CRM could have set.
 *
 * @param WP_User $user  The member.
 * @param string  $field Its name.
 * @return string|string[]|null
 */
function memberhook_value( WP_User $user, $field ) {
	if ( in_array( $field, MEMBERHOOK_CORE_FIELDS, true ) ) {
		// WordPress keeps `&`, `<` and `>` of names as entities; Memberhook thinks in text.
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
 * Whether WP Fusion's keys do not say what ours do (the owner wants them only now, or somebody has changed them).
 *
 * @param int    $user_id    The user.
 * @param string $connection The connection.
 * @param string $slug       WP Fusion's for the CRM; "" when its keys are not wanted.
 * @return bool
 */
function memberhook_is_unsettled( $user_id, $connection, $slug ) {
	$contact = get_user_meta( $user_id, memberhook_meta_key( "memberhook_contact_$connection" ), true );
	if ( '' === $slug || '' === $contact ) {
		return false;
	}
	$tags = get_user_meta( $user_id, $slug . '_tags', true );
	return memberhook_tag_ids( $user_id, $connection ) !== $tags || get_user_meta( $user_id, $slug . '_contact_id', true ) !== $contact;
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
 * Why a plan is not applied: `stale` (plan again), `error` (never), `later` (try again).
 */
class Memberhook_Refusal extends Exception {
	/**
	 * One of stale, error, later.
	 *
	 * @var string
	 */
	public $kind;

	/**
	 * Makes one.
	 *
	 * @param string $kind    See above.
	 * @param string $message For the owner of the site.
	 */
	public function __construct( $kind, $message = '' ) {
		parent::__construct( $message );
		$this->kind = $kind;
	}
}

/**
 * Applies plans one after the other; each answers for itself, and is applied as a whole or not at all.
 *
 * @param array $batch connection, plans, tags; wp_fusion (slug or ""), full_cost_hash, seconds.
 * @return array[] For each plan what became of it; `postponed` for those that the time did not suffice for.
 */
function memberhook_apply( $batch ) {
	global $wpdb;
	$until = microtime( true ) + $batch['seconds'];
	ignore_user_abort( true );
	// Memberhook decides who is mailed, and when; what an owner wants told is told by the CRM.
	add_filter( 'send_password_change_email', '__return_false', 99 );
	add_filter( 'send_email_change_email', '__return_false', 99 );
	memberhook_remember_tags( $batch['connection'], $batch['tags'] );
	// The number of users is counted once for all of them.
	$counts = remove_action( 'user_register', 'wp_maybe_update_user_counts' );
	Memberhook_Meta_Rows::gather();
	$answers = array();
	foreach ( $batch['plans'] as $plan ) {
		if ( $answers && microtime( true ) > $until ) {
			$answers[] = array( 'postponed' => true );
			continue;
		}
		try {
			$answers[] = memberhook_apply_one( $plan, $batch );
		} catch ( Memberhook_Refusal $refusal ) {
			$answers[] = array( $refusal->kind => 'stale' === $refusal->kind ? true : $refusal->getMessage() );
		} catch ( Throwable $error ) {
			$blame = memberhook_blame( $error );
			error_log( "Memberhook: $blame " . $error->getMessage() ); // What it says is for the site's owner alone.
			$answers[] = array( 'later' => $blame );
		}
	}
	Memberhook_Meta_Rows::end();
	if ( $counts ) {
		add_action( 'user_register', 'wp_maybe_update_user_counts' );
		if ( in_array( null, array_column( $batch['plans'], 'member' ), true ) ) {
			wp_maybe_update_user_counts();
		}
	}
	return $answers;
}

/**
 * Whose code failed, without the message, which may hold data of the member.
 *
 * @param Throwable $error What it threw.
 * @return string
 */
function memberhook_blame( $error ) {
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
 * @param array $plan  What to do; see `memberhook_plan_schema`.
 * @param array $batch The batch it came in.
 * @return array
 * @throws Throwable What other plugins throw; nothing is kept then.
 */
function memberhook_apply_one( $plan, $batch ) {
	global $wpdb;
	$creates = null === $plan['member'];
	if ( $creates && ! ( $plan['login'] && $plan['email'] && $plan['password'] ) ) {
		throw new Memberhook_Refusal( 'error', 'A new member needs a login, an e-mail address and a password.' );
	}
	$locks   = memberhook_lock( $creates ? array( $plan['email'], $plan['login'] ) : array_filter( array( $plan['email'] ) ) );
	$user_id = (int) $plan['member'];
	$note    = function ( $meta, $user ) use ( &$user_id ) {
		$user_id = $user->ID;
		return $meta;
	};
	add_filter( 'insert_user_meta', $note, 10, 2 );
	$wpdb->query( 'START TRANSACTION' );
	$wpdb->query( 'SAVEPOINT memberhook' );
	try {
		$answer = $creates ? memberhook_create( $plan, $batch ) : memberhook_change( $plan, $batch );
		Memberhook_Meta_Rows::write();
		memberhook_check_whole( $user_id, $creates );
		$wpdb->query( 'COMMIT' );
	} catch ( Throwable $error ) {
		$wpdb->query( 'ROLLBACK' );
		Memberhook_Meta_Rows::drop();
		memberhook_forget( $user_id );
		if ( wp_using_ext_object_cache() ) {
			wp_cache_flush(); // What other plugins have cached of the member would outlive it.
		}
		throw $error;
	} finally {
		remove_filter( 'insert_user_meta', $note );
		memberhook_unlock( $locks );
	}
	$problem = $plan['welcome'] || $plan['resumes'] ? memberhook_welcome( $user_id ) : '';
	if ( $problem ) {
		$answer['warnings'][] = $problem;
	}
	return $answer;
}

/**
 * Refuses what the database has taken back on the way (a deadlock with somebody else), which wpdb tells nobody.
 *
 * The transaction's savepoint is gone then. It is gone too when other code has changed tables, which commits; then the
 * member is there.
 *
 * @param int  $user_id The member.
 * @param bool $creates Whether it was created.
 * @throws Memberhook_Refusal If so.
 */
function memberhook_check_whole( $user_id, $creates ) {
	global $wpdb;
	$silent = $wpdb->suppress_errors();
	$whole  = $wpdb->query( 'RELEASE SAVEPOINT memberhook' );
	$wpdb->suppress_errors( $silent );
	if ( false !== $whole ) {
		return;
	}
	$there = $wpdb->get_var( $wpdb->prepare( "SELECT ID FROM $wpdb->users WHERE ID = %d", $user_id ) );
	if ( $creates && ! $there ) {
		$wpdb->delete( $wpdb->usermeta, array( 'user_id' => $user_id ) ); // Rows written after it was taken back.
	}
	if ( ! $creates || ! $there ) {
		throw new Memberhook_Refusal( 'stale' );
	}
}

/**
 * Drops what the object cache holds of a user whose change was taken back.
 *
 * @param int $user_id The user.
 */
function memberhook_forget( $user_id ) {
	if ( $user_id ) {
		wp_cache_delete( $user_id, 'users' );
		wp_cache_delete( $user_id, 'user_meta' );
	}
}

/**
 * Takes a lock for each value, so that two batches never give one e-mail or login to two members: WordPress's tables
 * have no unique index on either.
 *
 * @param string[] $values E-mail addresses and logins.
 * @return string[] The names of the locks.
 * @throws Memberhook_Refusal When another batch has one of them for too long.
 */
function memberhook_lock( $values ) {
	global $wpdb;
	$names = array();
	foreach ( $values as $value ) {
		$names[] = 'memberhook:' . md5( DB_NAME . $wpdb->users . strtolower( remove_accents( $value ) ) );
	}
	$names = array_values( array_unique( $names ) );
	sort( $names ); // Always in the same order, so that two batches do not wait for each other.
	foreach ( $names as $number => $name ) {
		if ( '1' !== $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 5)', $name ) ) ) {
			memberhook_unlock( array_slice( $names, 0, $number ) );
			throw new Memberhook_Refusal( 'stale' );
		}
	}
	return $names;
}

/**
 * Gives locks back.
 *
 * @param string[] $names As taken.
 */
function memberhook_unlock( $names ) {
	global $wpdb;
	foreach ( $names as $name ) {
		$wpdb->query( $wpdb->prepare( 'DO RELEASE_LOCK(%s)', $name ) );
	}
}

/**
 * Gathers the rows of user meta that WordPress adds one by one, and writes them in one statement. All that a new user has
 * is among them, so it is read from here as well, until other code is told of the user.
 *
 * Where other code wants to hear of single rows, they are added one by one as ever.
 */
class Memberhook_Meta_Rows {
	/**
	 * Rows not written yet: user, key, value as it is stored.
	 *
	 * @var array[]
	 */
	private static $rows = array();

	/**
	 * The user who is being made; 0 once their rows are written.
	 *
	 * @var int
	 */
	private static $new_user = 0;

	/**
	 * Begins to gather.
	 */
	public static function gather() {
		$core = has_action( 'added_user_meta', 'wp_cache_set_users_last_changed' ); // That is done in `write`.
		if ( has_action( 'add_user_meta' ) || count( memberhook_listeners( 'added_user_meta' ) ) > ( false === $core ? 0 : 1 ) ) {
			return;
		}
		foreach ( self::hooks() as list( $hook, $method, $priority, $arguments ) ) {
			add_filter( $hook, array( __CLASS__, $method ), $priority, $arguments );
		}
	}

	/**
	 * Writes what is left and ends gathering.
	 */
	public static function end() {
		self::write();
		foreach ( self::hooks() as list( $hook, $method, $priority ) ) {
			remove_filter( $hook, array( __CLASS__, $method ), $priority );
		}
	}

	/**
	 * Hook, method, priority, number of arguments.
	 *
	 * @return array[]
	 */
	private static function hooks() {
		return array(
			array( 'insert_user_meta', 'begin', PHP_INT_MAX, 3 ),
			array( 'user_register', 'write', PHP_INT_MIN, 0 ),
			array( 'add_user_metadata', 'add', PHP_INT_MAX, 5 ),
			array( 'update_user_metadata', 'update', PHP_INT_MAX, 5 ),
			array( 'get_user_metadata', 'before', PHP_INT_MIN, 3 ),
			array( 'update_user_metadata', 'before', PHP_INT_MIN, 3 ),
			array( 'delete_user_metadata', 'before', PHP_INT_MIN, 3 ),
		);
	}

	/**
	 * Forgets what was not written, for a member who is taken back.
	 */
	public static function drop() {
		self::$rows     = array();
		self::$new_user = 0;
	}

	/**
	 * Learns of a new user, who has no meta yet.
	 *
	 * @param array   $meta   What will be added; it is left alone.
	 * @param WP_User $user   The user.
	 * @param bool    $update Whether they have been there before.
	 * @return array
	 */
	public static function begin( $meta, $user, $update ) {
		if ( ! $update ) {
			self::write();
			self::$new_user = $user->ID;
		}
		return $meta;
	}

	/**
	 * Takes a row, in place of WordPress's own INSERT.
	 *
	 * @param mixed  $done    Not null when other code has dealt with it.
	 * @param int    $user_id The user.
	 * @param string $key     Unslashed.
	 * @param mixed  $value   Unslashed and sanitized.
	 * @param bool   $unique  Whether it is added only where the key is new.
	 * @return mixed
	 */
	public static function add( $done, $user_id, $key, $value, $unique ) {
		if ( $unique ) {
			self::before( null, $user_id, $key );
		}
		if ( null !== $done || $unique ) {
			return $done;
		}
		self::$rows[] = array( (int) $user_id, $key, maybe_serialize( $value ) );
		return true;
	}

	/**
	 * Takes what WordPress would add after it has looked whether the new user has the key.
	 *
	 * @param mixed  $done     Not null when other code has dealt with it.
	 * @param int    $user_id  The user.
	 * @param string $key      Unslashed.
	 * @param mixed  $value    Unslashed and sanitized.
	 * @param mixed  $previous Only a row with this value is changed; "" for any.
	 * @return mixed
	 */
	public static function update( $done, $user_id, $key, $value, $previous ) {
		$is_ours = null === $done && empty( $previous ) && self::$new_user === (int) $user_id;
		return $is_ours ? self::add( null, $user_id, $key, $value, false ) : $done;
	}

	/**
	 * Before meta is read, changed or deleted: writes the rows if it is about one of them. A new user's are read from here.
	 *
	 * @param mixed  $passed  What the filter is about; it is left alone.
	 * @param int    $user_id The user.
	 * @param string $key     "" for all.
	 * @return mixed
	 */
	public static function before( $passed, $user_id, $key ) {
		if ( self::$new_user && self::$new_user === (int) $user_id && 'get_user_metadata' === current_filter() ) {
			wp_cache_set( $user_id, self::meta(), 'user_meta' );
			return $passed;
		}
		foreach ( self::$rows as $row ) {
			if ( (int) $user_id === $row[0] && ( '' === $key || $row[1] === $key ) ) {
				self::write();
				break;
			}
		}
		return $passed;
	}

	/**
	 * The new user's meta as the object cache has it.
	 *
	 * @return array[] Values by key.
	 */
	private static function meta() {
		$meta = array();
		foreach ( self::$rows as $row ) {
			$meta[ $row[1] ][] = (string) $row[2];
		}
		return $meta;
	}

	/**
	 * Writes the rows.
	 *
	 * @throws Memberhook_Refusal When the database refuses them.
	 */
	public static function write() {
		global $wpdb;
		if ( ! self::$rows ) {
			return;
		}
		$rows     = self::$rows;
		$new_user = self::$new_user;
		$meta     = self::meta();
		self::drop();
		$list   = implode( ',', array_fill( 0, count( $rows ), '(%d, %s, %s)' ) );
		$insert = "INSERT INTO $wpdb->usermeta (user_id, meta_key, meta_value) VALUES $list";
		$done   = $wpdb->query( $wpdb->prepare( $insert, array_merge( ...$rows ) ) ); // phpcs:ignore WordPress.DB
		foreach ( array_unique( array_column( $rows, 0 ) ) as $user_id ) {
			wp_cache_delete( $user_id, 'user_meta' );
		}
		if ( $new_user ) {
			wp_cache_set( $new_user, $meta, 'user_meta' );
		}
		if ( has_action( 'added_user_meta', 'wp_cache_set_users_last_changed' ) ) {
			wp_cache_set_users_last_changed();
		}
		if ( count( $rows ) !== $done ) {
			throw new Memberhook_Refusal( 'error', 'The database of the WordPress site refused a field of the member.' );
		}
	}
}

/**
 * What listens to a hook.
 *
 * @param string $hook Its name.
 * @return array[]
 */
function memberhook_listeners( $hook ) {
	global $wp_filter;
	return isset( $wp_filter[ $hook ] ) ? array_merge( ...array_values( $wp_filter[ $hook ]->callbacks ) ) : array();
}

/**
 * Creates a member.
 *
 * @param array $plan  What to do.
 * @param array $batch The batch it came in.
 * @return array
 * @throws Memberhook_Refusal When it cannot be.
 */
function memberhook_create( $plan, $batch ) {
	memberhook_check_email( $plan['email'] );
	if ( sanitize_user( $plan['login'], true ) !== $plan['login'] ) {
		throw new Memberhook_Refusal( 'stale' );
	}
	$warnings = array();
	$data     = memberhook_core_data( $plan['fields'], $warnings );
	$role     = memberhook_grantable( $plan['role'], $warnings ) ? $plan['role'] : '';
	$meta     = array();
	foreach ( memberhook_meta_fields( $plan['fields'], $warnings ) as $key => $value ) {
		if ( null !== $value ) {
			$meta[ $key ] = $value;
		}
	}
	$written = array_keys( $data + $meta );

	$meta[ memberhook_meta_key( '_memberhook_created_for' ) ] = $plan['key'];
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
		throw new Memberhook_Refusal( 'error', 'WordPress did not store the member: its database refused a value.' );
	}
	if ( is_multisite() ) {
		add_user_to_blog( get_current_blog_id(), $user_id, $role );
	}
	memberhook_change_roles( $user, $plan, $warnings );
	do_action( 'memberhook_member_created', $user_id, $batch['connection'] );
	memberhook_tell_tags( $user_id, $plan, array(), $batch );
	return array(
		'id'       => (string) $user_id,
		'login'    => $user->user_login,
		'email'    => $user->user_email,
		'created'  => true,
		'changes'  => memberhook_named( $plan, $written ),
		'warnings' => $warnings,
	);
}

/**
 * Calls `wp_insert_user`.
 *
 * A generated password has 120 random bits or more, which no slow hash makes safer: from WordPress 6.8 on its first hash
 * is a cheap one, and WordPress hashes it again at full cost at the first log-in.
 *
 * @param array $data  Not slashed.
 * @param bool  $cheap Whether the first hash may be cheap.
 * @return int
 * @throws Memberhook_Refusal When WordPress refuses.
 */
function memberhook_insert( $data, $cheap ) {
	$cost = function ( $options, $algorithm = PASSWORD_BCRYPT ) {
		return PASSWORD_BCRYPT === $algorithm ? array( 'cost' => 4 ) + (array) $options : $options;
	};
	if ( $cheap ) {
		add_filter( 'wp_hash_password_options', $cost, 99, 2 );
	}
	try {
		$user_id = wp_insert_user( wp_slash( $data ) );
	} finally {
		remove_filter( 'wp_hash_password_options', $cost, 99 );
	}
	if ( ! is_wp_error( $user_id ) ) {
		return $user_id;
	}
	if ( 'existing_user_login' === $user_id->get_error_code() ) {
		throw new Memberhook_Refusal( 'stale' );
	}
	if ( 'existing_user_email' === $user_id->get_error_code() ) {
		memberhook_check_holder( $data['user_email'], 0 );
	}
	throw new Memberhook_Refusal( 'error', memberhook_refused( $user_id ) );
}

/**
 * Changes a member.
 *
 * @param array $plan  What to do.
 * @param array $batch The batch it came in.
 * @return array
 * @throws Memberhook_Refusal When it cannot be.
 */
function memberhook_change( $plan, $batch ) {
	global $wpdb;
	$user_id = (int) $plan['member'];
	// Whoever changes the same member at the same time waits here; what was cached before may be old.
	$row = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM $wpdb->users WHERE ID = %d FOR UPDATE", $user_id ) );
	memberhook_forget( $user_id );
	if ( ! $row ) {
		throw new Memberhook_Refusal( 'stale' );
	}
	update_user_caches( $row );
	$user = get_userdata( $user_id );
	if ( ! current_user_can( 'edit_user', $user_id ) ) {
		throw new Memberhook_Refusal( 'error', 'The WordPress user that Memberhook logs in as may not edit this member.' );
	}
	$warnings = array();
	$plan     = memberhook_spare_protected( $user, $plan, $warnings );
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
	$changes = memberhook_named( $plan, $changes );
	if ( $changes ) {
		do_action( 'memberhook_member_updated', $user_id, $changes, $batch['connection'] );
	}
	memberhook_tell_tags( $user_id, $plan, $before, $batch );
	$user = WP_User::get_data_by( 'id', $user_id );
	$key  = $plan['resumes'] ? get_user_meta( $user_id, memberhook_meta_key( '_memberhook_created_for' ), true ) : '';
	return array(
		'id'       => (string) $user_id,
		'login'    => $user->user_login,
		'email'    => $user->user_email,
		'created'  => $plan['resumes'] && $key === $plan['key'],
		'changes'  => $changes,
		'warnings' => $warnings,
	);
}

/**
 * Takes out of a plan what nobody but the site's owner changes of a protected account, and roles that are not ours to change.
 *
 * @param WP_User $user     The account.
 * @param array   $plan     What to do.
 * @param array   $warnings What could not be done; added to.
 * @return array The plan.
 */
function memberhook_spare_protected( WP_User $user, $plan, &$warnings ) {
	$spared = array(
		'role'          => null,
		'roles_added'   => array(),
		'roles_removed' => array(),
	);
	$reason = 'The WordPress user that Memberhook logs in as may not change the roles of this member.';
	if ( memberhook_is_protected( $user ) ) {
		$spared += array(
			'email'    => null,
			'password' => null,
		);
		$reason  = 'The account has privileges on the WordPress site; its e-mail, password and roles stay as they are.';
	} elseif ( current_user_can( 'promote_user', $user->ID ) ) {
		return $plan;
	}
	if ( array_filter( array_intersect_key( $plan, $spared ) ) ) {
		$warnings[] = $reason;
	}
	return $spared + $plan;
}

/**
 * Writes what differs of e-mail, password and fields.
 *
 * @param WP_User $user     The member.
 * @param array   $plan     What to do.
 * @param array   $warnings What could not be done; added to.
 * @return string[] The names of what changed.
 * @throws Memberhook_Refusal When it cannot be.
 */
function memberhook_change_fields( WP_User $user, $plan, &$warnings ) {
	$data    = array();
	$changes = array();
	foreach ( memberhook_core_data( $plan['fields'], $warnings ) as $field => $value ) {
		if ( memberhook_value( $user, $field ) !== $value ) {
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
			throw new Memberhook_Refusal( 'error', memberhook_refused( $done ) );
		}
		$changes = array_keys( $data );
	}
	return array_merge( $changes, memberhook_change_meta( $user, memberhook_meta_fields( $plan['fields'], $warnings ) ) );
}

/**
 * Writes what differs of the fields that are user meta.
 *
 * @param WP_User $user   The member.
 * @param array   $fields Field => text, list or null (which empties it).
 * @return string[] The names of what changed.
 */
function memberhook_change_meta( WP_User $user, $fields ) {
	$changes = array();
	foreach ( $fields as $key => $value ) {
		$held = memberhook_value( $user, $key );
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
 * Those of the fields that are user meta and open.
 *
 * @param array $fields   Field => text, list or null.
 * @param array $warnings Which are closed; added to.
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
 * Those of the fields that go through `wp_insert_user`, as long as WordPress can hold them.
 *
 * @param array $fields   Field => text, list or null (which empties it).
 * @param array $warnings What could not be taken; added to.
 * @return string[]
 */
function memberhook_core_data( $fields, &$warnings ) {
	$data = array();
	foreach ( array_intersect_key( $fields, array_flip( MEMBERHOOK_CORE_FIELDS ) ) as $field => $value ) {
		$text = is_array( $value ) ? implode( ', ', $value ) : (string) $value;
		if ( 'locale' === $field && ! in_array( $text, array_merge( array( '', 'en_US' ), get_available_languages() ), true ) ) {
			// WordPress makes a path of it, of files that it runs.
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
 * Whether the role may be given: it is there, has no privileges, and the one who asks may give it.
 *
 * @param string|null $role     Its slug.
 * @param array       $warnings Why not; added to.
 * @return bool
 */
function memberhook_grantable( $role, &$warnings ) {
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
	require_once ABSPATH . 'wp-admin/includes/user.php';
	if ( ! array_key_exists( $role, get_editable_roles() ) ) {
		$warnings[] = sprintf( 'The WordPress user that Memberhook logs in as may not give the role %s.', $role );
		return false;
	}
	return true;
}

/**
 * Gives a member the one role of the plan; somebody of the network becomes a member of this site by it.
 *
 * @param WP_User $user     The member.
 * @param array   $plan     What to do.
 * @param array   $warnings What could not be done; added to.
 * @return bool Whether anything changed.
 */
function memberhook_change_role( WP_User $user, $plan, &$warnings ) {
	$joins = is_multisite() && ! is_user_member_of_blog( $user->ID );
	if ( null === $plan['role'] || ( array( $plan['role'] ) === memberhook_roles_of( $user ) && ! $joins ) ) {
		return false;
	}
	if ( ! memberhook_grantable( $plan['role'], $warnings ) ) {
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
 * Adds and takes away roles beside the main one.
 *
 * @param WP_User $user     The member.
 * @param array   $plan     What to do.
 * @param array   $warnings What could not be done; added to.
 * @return bool Whether anything changed.
 */
function memberhook_change_roles( WP_User $user, $plan, &$warnings ) {
	$before = $user->roles;
	foreach ( array_diff( $plan['roles_added'], $user->roles ) as $role ) {
		if ( memberhook_grantable( $role, $warnings ) ) {
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
 * @param array    $plan   What to do.
 * @param string[] $before The ids before.
 * @return string[]
 */
function memberhook_tags_after( $plan, $before ) {
	$applied = array_map( 'strval', wp_list_pluck( $plan['tags_applied'], 'id' ) );
	$removed = array_map( 'strval', wp_list_pluck( $plan['tags_removed'], 'id' ) );
	return array_values( array_unique( array_merge( array_diff( $before, $removed ), $applied ) ) );
}

/**
 * The user meta of link and tags that is to be written, ours and (if it is wanted) under WP Fusion's keys.
 *
 * @param array    $plan   What to do.
 * @param string[] $before The tag ids before.
 * @param array    $batch  The batch it came in.
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
		// WP Fusion looks for `"10"` in what is stored, so the ids are text.
		$meta[ $batch['wp_fusion'] . '_tags' ] = $after;
		if ( '' !== $plan['contact'] ) {
			$meta[ $batch['wp_fusion'] . '_contact_id' ] = $plan['contact'];
		}
	}
	return $meta;
}

/**
 * Tells the site's own code about tags; see docs of Memberhook for recipes (courses, groups).
 *
 * @param int      $user_id The member.
 * @param array    $plan    What was done.
 * @param string[] $before  The tag ids before.
 * @param array    $batch   The batch it came in.
 */
function memberhook_tell_tags( $user_id, $plan, $before, $batch ) {
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
		do_action( 'memberhook_tags_applied', $user_id, $applied, $batch['connection'] );
	}
	if ( $removed ) {
		do_action( 'memberhook_tags_removed', $user_id, $removed, $batch['connection'] );
	}
}

/**
 * What changed, by the names that Memberhook's outcomes use, in their order.
 *
 * @param array    $plan    What was done.
 * @param string[] $changed Names of what changed; for a new member its fields.
 * @return string[]
 */
function memberhook_named( $plan, $changed ) {
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
 * Refuses an address that WordPress would not take, or would change into another one.
 *
 * @param string $email The address.
 * @throws Memberhook_Refusal If so.
 */
function memberhook_check_email( $email ) {
	if ( ! is_email( $email ) || sanitize_email( $email ) !== $email || strlen( $email ) > 100 ) {
		throw new Memberhook_Refusal(
			'error',
			'WordPress does not take this e-mail address (at most 100 characters, only plain letters): correct it in the '
			. 'CRM, then send the contact again.'
		);
	}
}

/**
 * Refuses an address that somebody else has.
 *
 * @param string $email   The address.
 * @param int    $user_id Who may have it.
 * @throws Memberhook_Refusal If so.
 */
function memberhook_check_holder( $email, $user_id ) {
	$holder = get_user_by( 'email', $email );
	if ( ! $holder || $holder->ID === $user_id ) {
		return;
	}
	if ( memberhook_lower( $holder->user_email ) === memberhook_lower( $email ) ) {
		throw new Memberhook_Refusal( 'stale' );
	}
	throw new Memberhook_Refusal(
		'error',
		'WordPress takes this e-mail address for that of another member, which differs in accents only.'
	);
}

/**
 * Why WordPress refused, for the owner.
 *
 * @param WP_Error $error What it said.
 * @return string
 */
function memberhook_refused( WP_Error $error ) {
	$message = wp_strip_all_tags( $error->get_error_message() );
	return sprintf( 'WordPress refused the member (%1$s): %2$s', $error->get_error_code(), $message );
}

/**
 * Sends the welcome e-mail that is still due. Its Message-ID is always the same: should PHP die between sending and
 * noting it, the second copy is the same message to mail servers and readers.
 *
 * @param int $user_id The new member.
 * @return string What went wrong, or "".
 */
function memberhook_welcome( $user_id ) {
	$meta_key = memberhook_meta_key( '_memberhook_welcome' );
	$key      = get_user_meta( $user_id, $meta_key, true );
	if ( ! $key ) {
		return '';
	}
	$failed  = '';
	$name    = function ( $mailer ) use ( $key ) {
		// phpcs:disable WordPress.NamingConventions -- the mailer's own names.
		$mailer->MessageID = sprintf( '<welcome.%s@%s>', $key, wp_parse_url( home_url(), PHP_URL_HOST ) );
		$mailer->Timeout   = min( $mailer->Timeout, 10 );
		// phpcs:enable
	};
	$failure = function () use ( &$failed ) {
		$failed = 'WordPress could not send the welcome e-mail: test its e-mail settings, then have the member ask for a '
			. 'new password.';
	};
	add_action( 'phpmailer_init', $name, 99 );
	add_action( 'wp_mail_failed', $failure );
	try {
		wp_new_user_notification( $user_id, null, 'user' );
	} catch ( Throwable $error ) {
		$failure();
	}
	remove_action( 'phpmailer_init', $name, 99 );
	remove_action( 'wp_mail_failed', $failure );
	delete_user_meta( $user_id, $meta_key );
	return $failed;
}

// ---------------------------------------------------------------------------------------------------------------------
// 3 REST routes, for a WordPress user with an application password and the rights to manage users.

add_action( 'rest_api_init', 'memberhook_routes' );

/**
 * Registers the routes.
 */
function memberhook_routes() {
	$list = array(
		'type'     => 'array',
		'items'    => array( 'type' => 'string' ),
		'default'  => array(),
		'maxItems' => 5000,
	);
	$name = array(
		'type'     => 'string',
		'pattern'  => '^[A-Za-z0-9_-]{1,64}\z',
		'required' => true,
	);
	$slug = array(
		'type'    => 'string',
		'pattern' => '^[a-z0-9_-]{0,60}\z',
		'default' => '',
	);
	register_rest_route(
		'memberhook/v1',
		'/site',
		array(
			'methods'             => 'GET',
			'callback'            => 'memberhook_describe',
			'permission_callback' => 'memberhook_may_list',
		)
	);
	register_rest_route(
		'memberhook/v1',
		'/members/find',
		array(
			'methods'             => 'POST',
			'permission_callback' => 'memberhook_may_manage',
			'callback'            => function ( WP_REST_Request $request ) {
				return memberhook_find( $request->get_params() ) + array( 'roles' => array_values( memberhook_roles() ) );
			},
			'args'                => array(
				'connection' => $name,
				'ids'        => $list,
				'contacts'   => $list,
				'emails'     => $list,
				'logins'     => $list,
				'fields'     => $list,
				'wp_fusion'  => $slug,
			),
		)
	);
	register_rest_route(
		'memberhook/v1',
		'/members/apply',
		array(
			'methods'             => 'POST',
			'permission_callback' => 'memberhook_may_manage',
			'callback'            => function ( WP_REST_Request $request ) {
				return array( 'applied' => memberhook_apply( $request->get_params() ) );
			},
			'args'                => array(
				'connection'     => $name,
				'plans'          => array(
					'type'     => 'array',
					'items'    => memberhook_plan_schema(),
					'maxItems' => 500,
					'required' => true,
				),
				'tags'           => array(
					'type'    => 'array',
					'items'   => memberhook_tag_schema(),
					'default' => array(),
				),
				'wp_fusion'      => $slug,
				'full_cost_hash' => array(
					'type'    => 'boolean',
					'default' => false,
				),
				'seconds'        => array(
					'type'    => 'number',
					'minimum' => 0,
					'maximum' => 25,
					'default' => 8,
				),
			),
		)
	);
	register_rest_route(
		'memberhook/v1',
		'/members',
		array(
			'methods'             => 'GET',
			'permission_callback' => 'memberhook_may_manage',
			'callback'            => 'memberhook_list',
			'args'                => array(
				'after'  => array(
					'type'    => 'integer',
					'minimum' => 0,
					'default' => 0,
				),
				'limit'  => array(
					'type'    => 'integer',
					'minimum' => 1,
					'maximum' => 500,
					'default' => 100,
				),
				'fields' => $list,
				'emails' => $list,
			),
		)
	);
}

/**
 * A tag as JSON.
 *
 * @return array
 */
function memberhook_tag_schema() {
	$text = array(
		'type'     => 'string',
		'required' => true,
	);
	return array(
		'type'       => 'object',
		'properties' => array(
			'id'    => $text,
			'slug'  => $text,
			'title' => $text,
		),
	);
}

/**
 * A plan as JSON. `member` is the id of the one to change, null creates one. Null in `fields` empties the field.
 *
 * @return array
 */
function memberhook_plan_schema() {
	$flag  = array(
		'type'     => 'boolean',
		'required' => true,
	);
	$maybe = array(
		'type'     => array( 'string', 'null' ),
		'required' => true,
	);
	$tags  = array(
		'type'     => 'array',
		'items'    => memberhook_tag_schema(),
		'required' => true,
	);
	$roles = array(
		'type'     => 'array',
		'items'    => array( 'type' => 'string' ),
		'required' => true,
	);
	return array(
		'type'       => 'object',
		'properties' => array(
			'key'           => array(
				'type'     => 'string',
				'required' => true,
			),
			'contact'       => array(
				'type'     => 'string',
				'required' => true,
			),
			'member'        => $maybe + array( 'pattern' => '^[0-9]{1,20}\z' ),
			'login'         => $maybe,
			'email'         => $maybe,
			'password'      => $maybe,
			'generated'     => $flag,
			'role'          => $maybe,
			'roles_added'   => $roles,
			'roles_removed' => $roles,
			'fields'        => array(
				'type'                 => 'object',
				'required'             => true,
				'additionalProperties' => array(
					'type'  => array( 'string', 'array', 'null' ), // In this order: a text with commas is no list.
					'items' => array( 'type' => 'string' ),
				),
			),
			'tags_applied'  => $tags,
			'tags_removed'  => $tags,
			'welcome'       => $flag,
			'resumes'       => $flag,
		),
	);
}

/**
 * Whether the one who asks may see users.
 *
 * @return bool|WP_Error
 */
function memberhook_may_list() {
	return memberhook_may( array( 'list_users' ) );
}

/**
 * Whether the one who asks may see, make and change users and their roles.
 *
 * @return bool|WP_Error
 */
function memberhook_may_manage() {
	return memberhook_may( array( 'list_users', 'create_users', 'edit_users', 'promote_users' ) );
}

/**
 * Whether the one who asks has all of these rights.
 *
 * @param string[] $rights Capabilities.
 * @return bool|WP_Error
 */
function memberhook_may( $rights ) {
	foreach ( $rights as $right ) {
		if ( ! current_user_can( $right ) ) {
			return new WP_Error(
				is_user_logged_in() ? 'memberhook_no_rights' : 'rest_not_logged_in',
				sprintf( 'This needs the right %s.', $right ),
				array( 'status' => rest_authorization_required_code() )
			);
		}
	}
	return true;
}

/**
 * What this site is and can do.
 *
 * @return array
 */
function memberhook_describe() {
	global $wpdb;
	$keys   = $wpdb->get_col( "SELECT DISTINCT meta_key FROM $wpdb->usermeta ORDER BY meta_key LIMIT 1000" );
	$rights = array();
	foreach ( array( 'list_users', 'create_users', 'edit_users', 'promote_users' ) as $right ) {
		$rights[ $right ] = current_user_can( $right );
	}
	return array(
		'connector'    => MEMBERHOOK_VERSION,
		'wordpress'    => get_bloginfo( 'version' ),
		'php'          => PHP_VERSION,
		'multisite'    => is_multisite(),
		'name'         => wp_specialchars_decode( get_bloginfo( 'name' ), ENT_QUOTES ),
		'default_role' => (string) get_option( 'default_role' ),
		'roles'        => array_values( memberhook_roles() ),
		'meta_keys'    => array_values(
			array_filter(
				$keys,
				function ( $key ) {
					return ! memberhook_is_closed_key( $key );
				}
			)
		),
		'fluentcrm'    => defined( 'FLUENTCRM_PLUGIN_VERSION' ) ? FLUENTCRM_PLUGIN_VERSION : null,
		'rights'       => $rights,
		'rehash'       => version_compare( get_bloginfo( 'version' ), '6.8-alpha', '>=' ),
	);
}

/**
 * The members of this site in the order of their ids, page by page, or those with these e-mails.
 *
 * @param WP_REST_Request $request after (an id), limit, fields, emails.
 * @return array
 */
function memberhook_list( WP_REST_Request $request ) {
	global $wpdb;
	$after = function ( $query ) use ( $request, $wpdb ) {
		$query->query_where .= $wpdb->prepare( " AND $wpdb->users.ID > %d", $request['after'] );
		if ( $request['emails'] ) {
			$list                = implode( ',', array_fill( 0, count( $request['emails'] ), '%s' ) );
			$those               = " AND $wpdb->users.user_email IN ($list)";
			$query->query_where .= $wpdb->prepare( $those, $request['emails'] ); // phpcs:ignore WordPress.DB
		}
	};
	add_action( 'pre_user_query', $after );
	$users = get_users(
		array(
			'orderby'     => 'ID',
			'number'      => $request['limit'],
			'count_total' => false,
		)
	);
	remove_action( 'pre_user_query', $after );
	$fields  = array_merge( array( 'first_name', 'last_name', 'display_name' ), $request['fields'] );
	$members = array();
	foreach ( $users as $user ) {
		$members[] = array( 'held' => memberhook_tags( $user->ID ) ) + memberhook_member( $user, '', $fields );
	}
	return array( 'members' => $members );
}

// ---------------------------------------------------------------------------------------------------------------------
// 4 Passing FluentCRM's changes on.
//
// A change is written down in the request that made it, and sent after that request's answer. What could not be sent is
// sent later by cron. Only ids are kept: a contact is read from FluentCRM when it is sent, so it goes out as it is then.

add_action( 'plugins_loaded', array( 'Memberhook_Outbox', 'listen' ), 0 );
register_activation_hook( __FILE__, array( 'Memberhook_Outbox', 'activate' ) );
register_deactivation_hook( __FILE__, array( 'Memberhook_Outbox', 'deactivate' ) );

/**
 * The contacts of this site's FluentCRM that have changed and are to be told to Memberhook.
 *
 * FluentCRM, pages and cron call its methods by way of safe(): a host page must never see an error of ours.
 */
final class Memberhook_Outbox {

	/** What the table looks like; another number makes it anew where it is older. */
	const SCHEMA = 1;

	/** Settings, read on every page: enabled, url, members (none, tags, all), tags (ids). */
	const SETTINGS = 'memberhook_outbox';

	/** The signing key; not loaded where nobody asks for it. */
	const KEY = 'memberhook_outbox_key';

	const LOG    = 'memberhook_outbox_log';
	const PAUSED = 'memberhook_outbox_paused_until';
	const MADE   = 'memberhook_outbox_schema';
	const SEND   = 'memberhook_outbox_send';
	const SWEEP  = 'memberhook_outbox_sweep';
	const WAKE   = 'memberhook_outbox_wake';
	const SLOW   = 'memberhook_outbox_slow';

	/** Contacts in a request, and how many bytes of them: Memberhook takes 500, and 1 MiB. */
	const BATCH       = 100;
	const BATCH_BYTES = 524288;

	/** Seconds: how long one run may send, how long an answer may take, first and longest delay, and when we give up. */
	const RUN         = 20;
	const TIMEOUT     = 10;
	const FIRST_DELAY = 60;
	const MAX_DELAY   = 3600;
	const GIVE_UP     = 259200;

	/** FluentCRM's actions that tell of a change of one contact or of many (2.9.84); which argument it is, we see. */
	const CHANGES = array(
		'fluent_crm/contact_created',
		'fluent_crm/contact_updated',
		'fluent_crm/contact_email_changed',
		'fluent_crm/contact_custom_data_updated',
		'fluent_crm/subscriber_status_changed',
		'fluent_crm/contact_added_to_tags',
		'fluent_crm/contact_removed_from_tags',
		'fluent_crm/contact_added_to_lists',
		'fluent_crm/contact_removed_from_lists',
		'fluentcrm_contacts_imported_bulk',
		'fluentcrm_contacts_updated_bulk',
		'fluent_crm/subscriber_contact_type_to_lead',
		'fluent_crm/subscriber_contact_type_to_customer',
		'fluentcrm_subscriber_contact_type_to_lead',
		'fluentcrm_subscriber_contact_type_to_customer',
	);

	/** The action of a tag or list that is gone => what FluentCRM calls its kind where it keeps who has it. */
	const GONE = array(
		'fluent_crm/tag_deleted'  => 'FluentCrm\App\Models\Tag',
		'fluent_crm/list_deleted' => 'FluentCrm\App\Models\Lists',
	);

	/**
	 * Ids of the contacts that changed in this request, as keys, by site of the network.
	 *
	 * @var array<int, array<int, true>>
	 */
	private static $changed = array();

	/**
	 * Whether the end of this request has been prepared.
	 *
	 * @var bool
	 */
	private static $waits = false;

	/** Listens to FluentCRM, whether it is there or not: that costs nothing. */
	public static function listen() {
		foreach ( self::CHANGES as $action ) {
			add_action( $action, self::safe( 'note' ), 10, 3 );
		}
		foreach ( array_keys( self::GONE ) as $action ) {
			add_action( $action, self::safe( 'note_gone' ), 1 ); // Before FluentCRM forgets who had it.
		}
		add_action( 'fluentcrm_loaded', self::safe( 'listen_to_fields' ) );
		add_action( 'profile_update', self::safe( 'note_user' ), 20 ); // After FluentCRM.
		add_action( 'wp_loaded', self::safe( 'wake_up' ), 0 );
		add_action( self::SEND, self::safe( 'send' ) );
		add_action( self::SWEEP, self::safe( 'send' ) );
	}

	/**
	 * A method of this class for others to call: its errors go to PHP's log, and to nobody else.
	 *
	 * @param string $method Its name.
	 * @return callable
	 */
	private static function safe( $method ) {
		return static function ( ...$arguments ) use ( $method ) {
			try {
				self::$method( ...$arguments );
			} catch ( \Throwable $error ) {
				$place = basename( $error->getFile() ) . ':' . $error->getLine();
				error_log( 'Memberhook Connector: ' . get_class( $error ) . ': ' . $error->getMessage() . " at $place" );
			}
		};
	}

	/** Listens to custom fields being saved: for a change of many contacts at once there is no action. */
	private static function listen_to_fields() {
		if ( self::settings()['enabled'] && is_callable( array( 'FluentCrm\App\Models\SubscriberMeta', 'saved' ) ) ) {
			\FluentCrm\App\Models\SubscriberMeta::saved( self::safe( 'note_field' ) );
		}
	}

	/**
	 * Notes the contact whose custom field was saved.
	 *
	 * @param \FluentCrm\App\Models\SubscriberMeta $value What was saved: a field's value, or something else of a contact.
	 */
	private static function note_field( $value ) {
		if ( 'custom_field' === $value->object_type ) {
			self::remember( $value->subscriber_id );
		}
	}

	/**
	 * Notes the contacts among the arguments of an action.
	 *
	 * @param mixed ...$arguments Contacts, lists of contacts, and other things.
	 */
	private static function note( ...$arguments ) {
		foreach ( $arguments as $argument ) {
			foreach ( is_iterable( $argument ) ? $argument : array( $argument ) as $one ) {
				if ( $one instanceof \FluentCrm\App\Models\Subscriber ) {
					self::remember( $one->id );
				}
			}
		}
	}

	/**
	 * Notes all contacts that had a tag or a list which is gone now.
	 *
	 * @param int $id Its id.
	 */
	private static function note_gone( $id ) {
		global $wpdb;
		if ( self::settings()['enabled'] ) {
			$sql   = "SELECT subscriber_id FROM {$wpdb->prefix}fc_subscriber_pivot WHERE object_type = %s AND object_id = %d";
			$found = $wpdb->get_col( $wpdb->prepare( $sql, self::GONE[ current_action() ], $id ) ); // phpcs:ignore WordPress.DB
			array_map( array( __CLASS__, 'remember' ), $found );
		}
	}

	/**
	 * Notes the contact of a user, where FluentCRM has it follow the user: that is told by no action either.
	 *
	 * @param int $id The user's.
	 */
	private static function note_user( $id ) {
		$follows = array( 'FluentCrm\App\Services\Helper', 'isUserSyncEnabled' );
		if ( self::settings()['enabled'] && is_callable( $follows ) && $follows() ) {
			$user = get_userdata( $id );
			self::note( $user ? \FluentCrm\App\Models\Subscriber::where( 'email', $user->user_email )->first() : null );
		}
	}

	/**
	 * Keeps an id until the end of the request.
	 *
	 * @param mixed $id The contact's.
	 */
	private static function remember( $id ) {
		if ( (int) $id < 1 || ! self::settings()['enabled'] ) {
			return;
		}
		self::$changed[ get_current_blog_id() ][ (int) $id ] = true;
		if ( ! self::$waits ) {
			self::$waits = true;
			if ( did_action( 'shutdown' ) ) {
				register_shutdown_function( self::safe( 'end_of_request' ) );
			} else {
				add_action( 'shutdown', self::safe( 'end_of_request' ), 1000 );
			}
		}
	}

	/** Writes down what has changed, then sends it where nobody waits for it. */
	private static function end_of_request() {
		$changed       = self::$changed;
		self::$changed = array();
		self::$waits   = false; // What changes after this is prepared for anew.
		foreach ( $changed as $blog => $ids ) {
			$switched = is_multisite() && get_current_blog_id() !== $blog && switch_to_blog( $blog );
			call_user_func( self::safe( 'write' ), array_keys( $ids ) );
			if ( $switched ) {
				restore_current_blog();
			}
		}
	}

	/** Sends after the answer is gone, in this process or (where PHP cannot do that) in another one. */
	private static function send_soon() {
		if ( self::paused_until() > time() ) {
			self::plan( self::paused_until() );
			return;
		}
		$ends_answer = function_exists( 'fastcgi_finish_request' ) || function_exists( 'litespeed_finish_request' );
		if ( ( $ends_answer || wp_doing_cron() ) && ! ( is_multisite() && ms_is_switched() ) ) {
			register_shutdown_function( self::safe( 'send_after_answer' ) ); // Behind all others.
		} else {
			// Should it not wake, cron does it; not at once, so that they do not get into each other's way.
			self::plan( time() + ( get_transient( self::SLOW ) ? 0 : self::FIRST_DELAY ) );
			if ( ! self::is_sending() ) { // One that sends looks again when it has done.
				self::wake();
			}
		}
	}

	/** Ends the answer, then sends. */
	private static function send_after_answer() {
		if ( PHP_SESSION_ACTIVE === session_status() ) {
			session_write_close(); // Else the visitor's next page waits for us.
		}
		ignore_user_abort( true );
		if ( function_exists( 'fastcgi_finish_request' ) ) {
			fastcgi_finish_request();
		} elseif ( function_exists( 'litespeed_finish_request' ) ) {
			litespeed_finish_request();
		}
		self::plan( time() + self::FIRST_DELAY ); // Should this process die before it has sent, cron does it.
		self::send();
	}

	/**
	 * Has another process of this site send, and does not wait for it.
	 *
	 * Cron alone would be late: while one of its jobs works it starts no other, and FluentCRM's jobs work long. With cURL,
	 * WordPress would wait up to a second for an answer that it drops, so this goes over a plain socket.
	 */
	private static function wake() {
		if ( get_transient( self::SLOW ) ) {
			return;
		}
		$by_socket = static function ( $url, $headers, $data, $type, &$options ) {
			$new                  = 'WpOrg\Requests\Transport\Fsockopen'; // Since WordPress 6.2.
			$options['transport'] = class_exists( $new ) ? $new : 'Requests_Transport_fsockopen';
		};
		$started   = microtime( true );
		add_action( 'requests-requests.before_request', $by_socket, 10, 5 );
		wp_remote_post(
			site_url( 'index.php' ),
			array(
				'blocking'  => false,
				'timeout'   => 0.01,
				'sslverify' => apply_filters( 'https_local_ssl_verify', false ), // phpcs:ignore WordPress.NamingConventions
				'body'      => array( self::WAKE => self::wake_token( time() ) ),
			)
		);
		remove_action( 'requests-requests.before_request', $by_socket, 10 );
		if ( microtime( true ) - $started > 0.5 ) {
			set_transient( self::SLOW, 1, HOUR_IN_SECONDS ); // This site cannot call itself: cron alone, then.
		}
	}

	/** Sends, where this request is there for nothing else. */
	private static function wake_up() {
		$sent = $_POST[ self::WAKE ] ?? ''; // phpcs:ignore WordPress.Security -- compared, never used.
		foreach ( is_string( $sent ) && '' !== $sent ? array( 0, MINUTE_IN_SECONDS ) : array() as $ago ) {
			if ( hash_equals( self::wake_token( time() - $ago ), $sent ) ) {
				ignore_user_abort( true );
				self::send();
				exit;
			}
		}
	}

	/**
	 * What only this site can know, for a minute or two.
	 *
	 * @param int $time Unix time.
	 * @return string
	 */
	private static function wake_token( $time ) {
		return wp_hash( self::WAKE . intdiv( $time, MINUTE_IN_SECONDS ) );
	}

	/**
	 * Writes contacts down, and has them sent.
	 *
	 * @param int[] $ids Contacts.
	 */
	private static function write( $ids ) {
		self::make_table();
		$done = true;
		foreach ( array_chunk( $ids, 1000 ) as $some ) {
			$done = ( self::insert( $some ) || ( self::make_table( true ) && self::insert( $some ) ) ) && $done;
		}
		if ( $done ) {
			self::send_soon();
		}
	}

	/**
	 * One query for many contacts; one that is there already counts one change more.
	 *
	 * @param int[] $ids Contacts.
	 * @return bool Whether it worked.
	 */
	private static function insert( $ids ) {
		global $wpdb;
		$table = self::table();
		$now   = time();
		$rows  = array();
		foreach ( $ids as $id ) {
			$rows[] = $wpdb->prepare( '(%d, 1, %d, %d)', $id, $now, $now );
		}
		// One that waits for its next try keeps its turn; one that was given up begins again.
		$sql   = "INSERT INTO $table (contact_id, version, queued_at, due_at) VALUES " . implode( ', ', $rows ) . '
			ON DUPLICATE KEY UPDATE version = version + 1, due_at = IF(failed, VALUES(due_at), due_at),
			queued_at = IF(failed, VALUES(queued_at), queued_at), attempts = IF(failed, 0, attempts), failed = 0';
		$quiet = $wpdb->suppress_errors( true );
		$done  = $wpdb->query( $sql ); // phpcs:ignore WordPress.DB -- prepared above.
		$wpdb->suppress_errors( $quiet );
		return false !== $done;
	}

	/** Sends what is due: as long as there is time, and never two processes at once. Cron calls this, too. */
	private static function send() {
		global $wpdb;
		$settings = self::settings();
		if ( ! $settings['enabled'] || ! $settings['url'] || ! self::is_fluentcrm_active() ) {
			return;
		}
		if ( self::paused_until() > time() ) {
			self::plan( self::paused_until() );
			return;
		}
		self::make_table();
		$lock = self::lock_name();
		if ( '0' === $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 0)', $lock ) ) ) {
			self::plan( time() + self::FIRST_DELAY ); // Should the other one die.
			return;
		}
		try {
			$until = microtime( true ) + self::RUN;
			while ( self::send_batch( $settings ) && microtime( true ) < $until ) {
				continue;
			}
		} finally {
			$wpdb->query( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $lock ) );
			self::plan_rest();
		}
	}

	/**
	 * Whether a process sends just now.
	 *
	 * @return bool
	 */
	private static function is_sending() {
		global $wpdb;
		return '0' === $wpdb->get_var( $wpdb->prepare( 'SELECT IS_FREE_LOCK(%s)', self::lock_name() ) );
	}

	/**
	 * The lock that the sending process holds. Locks are the server's, so they are named after database and table.
	 *
	 * @return string
	 */
	private static function lock_name() {
		return 'memberhook_' . md5( DB_NAME . self::table() );
	}

	/**
	 * Sends what is due first, in one request.
	 *
	 * @param array $settings Ours.
	 * @return bool Whether there may be more that can be sent now.
	 */
	private static function send_batch( $settings ) {
		global $wpdb;
		$table = self::table();
		$sql   = "SELECT contact_id, version FROM $table WHERE failed = 0 AND due_at <= %d ORDER BY due_at, contact_id LIMIT %d";
		$rows  = $wpdb->get_results( $wpdb->prepare( $sql, time(), self::BATCH ) ); // phpcs:ignore WordPress.DB
		if ( ! $rows ) {
			return false;
		}
		$versions = array_map( 'intval', wp_list_pluck( $rows, 'version', 'contact_id' ) );
		$contacts = self::load( array_keys( $versions ), $settings );
		$gone     = array_diff_key( $versions, $contacts ); // Deleted since.
		$contacts = self::first_bytes( $contacts, self::BATCH_BYTES );
		$sent     = array_intersect_key( $versions, $contacts );
		if ( $contacts ) {
			$answer = self::post( '{"type":"contacts","contacts":[' . implode( ',', $contacts ) . ']}' );
			self::log( count( $contacts ), $answer, array_keys( $contacts ) );
			if ( ! $answer['ok'] ) {
				self::postpone( array_keys( $sent ), $answer );
				self::forget( $gone );
				return false;
			}
			update_option( self::PAUSED, 0, false );
		}
		self::forget( $sent + $gone );
		return true;
	}

	/**
	 * Contacts as FluentCRM has them now, ready to be sent.
	 *
	 * @param int[] $ids      Contacts.
	 * @param array $settings Ours.
	 * @return array<int, string> JSON by id, without those that are not there any more.
	 */
	private static function load( $ids, $settings ) {
		$found    = \FluentCrm\App\Models\Subscriber::with( array( 'tags', 'lists' ) )->whereIn( 'id', $ids )->get();
		$contacts = array();
		foreach ( $found as $subscriber ) {
			$contact                 = $subscriber->toArray();
			$contact['id']           = (int) $subscriber->id;
			$contact['custom_field'] = $subscriber->custom_fields();
			$contact['tags']         = self::labels( $subscriber->tags );
			$contact['lists']        = self::labels( $subscriber->lists );
			$has                     = array_intersect( wp_list_pluck( $contact['tags'], 'id' ), $settings['tags'] );
			$adds                    = 'all' === $settings['members'] || ( 'tags' === $settings['members'] && $has );
			$action                  = $adds ? 'add' : 'update';
			$id                      = $contact['id'];
			$contacts[ $id ]         = wp_json_encode( compact( 'action', 'contact' ) );
			if ( ! $contacts[ $id ] ) { // Memberhook loads the contact by its id anyway.
				$contact         = array( 'id' => $id );
				$contacts[ $id ] = wp_json_encode( compact( 'action', 'contact' ) );
			}
		}
		return $contacts;
	}

	/**
	 * Tags or lists as Memberhook reads them.
	 *
	 * @param iterable $labels FluentCRM's.
	 * @return array[]
	 */
	private static function labels( $labels ) {
		$found = array();
		foreach ( $labels as $label ) {
			$found[] = array(
				'id'    => (int) $label->id,
				'title' => (string) $label->title,
				'slug'  => (string) $label->slug,
			);
		}
		return $found;
	}

	/**
	 * As many as fit, at least one.
	 *
	 * @param array<int, string> $texts By id.
	 * @param int                $most  Bytes.
	 * @return array<int, string>
	 */
	private static function first_bytes( $texts, $most ) {
		$kept = array();
		foreach ( $texts as $id => $text ) {
			$most -= strlen( $text ) + 1;
			if ( $kept && $most < 0 ) {
				break;
			}
			$kept[ $id ] = $text;
		}
		return $kept;
	}

	/**
	 * Sends a signed request (Standard Webhooks).
	 *
	 * @param string $body JSON.
	 * @return array{ok: bool, status: int, said: string, refused: array, retry_after: int}
	 */
	public static function post( $body ) {
		$settings = self::settings();
		$secret   = self::secret_bytes( (string) get_option( self::KEY, '' ) );
		$answer   = array(
			'ok'          => false,
			'status'      => 0,
			'said'        => '',
			'refused'     => array(),
			'retry_after' => 0,
		);
		if ( '' === $secret || ! $settings['url'] ) {
			$answer['said'] = __( 'Address or signing key is missing.', 'memberhook-connector' );
			return $answer;
		}
		$id        = 'msg_' . wp_generate_uuid4();
		$time      = (string) time();
		$signature = base64_encode( hash_hmac( 'sha256', "$id.$time.$body", $secret, true ) ); // phpcs:ignore WordPress.PHP
		$response  = wp_remote_post(
			$settings['url'],
			array(
				'timeout'     => self::TIMEOUT,
				'redirection' => 0,
				'headers'     => array(
					'Content-Type'      => 'application/json',
					'Accept'            => 'application/json',
					'webhook-id'        => $id,
					'webhook-timestamp' => $time,
					'webhook-signature' => "v1,$signature",
				),
				'body'        => $body,
			)
		);
		if ( is_wp_error( $response ) ) {
			$answer['said'] = $response->get_error_message();
			return $answer;
		}
		$data                  = json_decode( wp_remote_retrieve_body( $response ), true );
		$data                  = is_array( $data ) ? $data : array();
		$status                = (int) wp_remote_retrieve_response_code( $response );
		$said                  = $data['error']['message'] ?? $data['message'] ?? '';
		$answer['status']      = $status;
		$answer['said']        = is_string( $said ) ? $said : '';
		$answer['retry_after'] = (int) wp_remote_retrieve_header( $response, 'retry-after' );
		$answer['refused']     = isset( $data['refused'] ) && is_array( $data['refused'] ) ? $data['refused'] : array();
		// Another program at that address may say 200 to everything; what Memberhook did not store must not be lost.
		$answer['ok'] = $status >= 200 && $status < 300 && ( isset( $data['accepted'] ) || isset( $data['status'] ) );
		if ( ! $answer['ok'] && '' === $answer['said'] ) {
			/* translators: %d: HTTP status */
			$text           = __( 'This is not how Memberhook answers (HTTP %d). Compare the address.', 'memberhook-connector' );
			$answer['said'] = sprintf( $text, $status );
		}
		return $answer;
	}

	/**
	 * The bytes of a signing key.
	 *
	 * @param string $key As Memberhook shows it.
	 * @return string Empty if it is none.
	 */
	public static function secret_bytes( $key ) {
		if ( 0 !== strpos( $key, 'whsec_' ) ) {
			return '';
		}
		$bytes = base64_decode( substr( $key, 6 ), true ); // phpcs:ignore WordPress.PHP
		return is_string( $bytes ) && strlen( $bytes ) >= 24 && strlen( $bytes ) <= 64 ? $bytes : '';
	}

	/**
	 * Takes contacts out of the table, but for those that have changed since they were read.
	 *
	 * @param array<int, int> $versions By id.
	 */
	private static function forget( $versions ) {
		global $wpdb;
		$table = self::table();
		$pairs = array();
		foreach ( $versions as $id => $version ) {
			$pairs[] = $wpdb->prepare( '(%d, %d)', $id, $version );
		}
		if ( $pairs ) {
			$sql = "DELETE FROM $table WHERE (contact_id, version) IN (" . implode( ', ', $pairs ) . ')';
			$wpdb->query( $sql ); // phpcs:ignore WordPress.DB -- prepared above.
		}
	}

	/**
	 * Sets the next try of contacts that could not be sent, or gives them up after three days.
	 *
	 * @param int[] $ids    Contacts.
	 * @param array $answer What came.
	 */
	private static function postpone( $ids, $answer ) {
		global $wpdb;
		$table = self::table();
		$now   = time();
		$wait  = min( max( self::FIRST_DELAY, $answer['retry_after'] ), self::MAX_DELAY );
		$in    = implode( ', ', array_map( 'intval', $ids ) );
		$said  = self::shorten( $answer['said'] );
		$sql   = "UPDATE $table SET attempts = attempts + 1, last_error = %s, failed = IF(queued_at < %d, 1, 0),
			due_at = %d + GREATEST(%d, LEAST(%d, %d * POW(2, LEAST(attempts - 1, 10)))) WHERE contact_id IN ($in)";
		$past  = $now - self::GIVE_UP;
		$sql   = $wpdb->prepare( $sql, $said, $past, $now, $wait, self::MAX_DELAY, self::FIRST_DELAY ); // phpcs:ignore WordPress.DB
		$wpdb->query( $sql ); // phpcs:ignore WordPress.DB
		update_option( self::PAUSED, $now + $wait, false );
	}

	/** Plans the next run, should anything be left. */
	private static function plan_rest() {
		global $wpdb;
		$table = self::table();
		$due   = $wpdb->get_var( "SELECT MIN(due_at) FROM $table WHERE failed = 0" ); // phpcs:ignore WordPress.DB
		if ( null === $due ) {
			wp_clear_scheduled_hook( self::SEND );
			return;
		}
		$next = max( (int) $due, self::paused_until(), time() );
		self::plan( $next );
		if ( $next <= time() ) {
			self::wake();
		}
	}

	/**
	 * Has cron send at a time; one plan at a time is enough.
	 *
	 * @param int $time Unix time.
	 */
	private static function plan( $time ) {
		$planned = wp_next_scheduled( self::SEND );
		if ( ! $planned || $planned > $time ) {
			wp_clear_scheduled_hook( self::SEND );
			wp_schedule_single_event( $time, self::SEND );
		}
		if ( ! wp_next_scheduled( self::SWEEP ) ) {
			wp_schedule_event( time() + HOUR_IN_SECONDS, 'hourly', self::SWEEP ); // Should a plan get lost.
		}
	}

	/**
	 * Until when sending rests, because the last try failed.
	 *
	 * @return int Unix time.
	 */
	private static function paused_until() {
		return (int) get_option( self::PAUSED, 0 );
	}

	/** Has everything that waits or was given up sent as if it were new. */
	public static function send_all_now() {
		global $wpdb;
		self::make_table();
		$table = self::table();
		$now   = time();
		$sql   = "UPDATE $table SET due_at = %d, queued_at = %d, attempts = 0, failed = 0";
		$wpdb->query( $wpdb->prepare( $sql, $now, $now ) ); // phpcs:ignore WordPress.DB
		update_option( self::PAUSED, 0, false );
		call_user_func( self::safe( 'send' ) );
	}

	/**
	 * How many contacts are in the table.
	 *
	 * @return array{waiting: int, failed: int}
	 */
	public static function counts() {
		global $wpdb;
		self::make_table();
		$table = self::table();
		$found = $wpdb->get_row( "SELECT SUM(failed = 0) AS waiting, SUM(failed) AS failed FROM $table" ); // phpcs:ignore WordPress.DB
		return array(
			'waiting' => $found ? (int) $found->waiting : 0,
			'failed'  => $found ? (int) $found->failed : 0,
		);
	}

	/**
	 * Keeps the last deliveries for the page.
	 *
	 * @param int   $count  Contacts.
	 * @param array $answer What came.
	 * @param int[] $ids    The contacts, in the order of the request.
	 */
	private static function log( $count, $answer, $ids ) {
		$said = $answer['said'];
		foreach ( array_slice( $answer['refused'], 0, 3 ) as $refused ) {
			$id  = $ids[ (int) ( $refused['index'] ?? -1 ) ] ?? 0;
			$why = $refused['error']['message'] ?? null;
			if ( $id && is_string( $why ) ) {
				/* translators: 1: id of a contact, 2: why */
				$said .= ' ' . sprintf( __( 'Contact %1$d was refused: %2$s', 'memberhook-connector' ), $id, $why );
			}
		}
		$log = array_slice( self::last_deliveries(), 0, 19 );
		array_unshift(
			$log,
			array(
				'time'   => time(),
				'count'  => $count,
				'ok'     => $answer['ok'],
				'status' => $answer['status'],
				'said'   => self::shorten( trim( $said ) ),
			)
		);
		update_option( self::LOG, $log, false );
	}

	/**
	 * The last deliveries, newest first.
	 *
	 * @return array[]
	 */
	public static function last_deliveries() {
		$log = get_option( self::LOG, array() );
		return is_array( $log ) ? $log : array();
	}

	/**
	 * The settings, complete whatever is stored.
	 *
	 * @return array{enabled: bool, url: string, members: string, tags: int[]}
	 */
	public static function settings() {
		$stored = get_option( self::SETTINGS, array() );
		$stored = is_array( $stored ) ? $stored : array();
		return array(
			'enabled' => ! empty( $stored['enabled'] ),
			'url'     => (string) ( $stored['url'] ?? '' ),
			'members' => in_array( $stored['members'] ?? '', array( 'tags', 'all' ), true ) ? $stored['members'] : 'none',
			'tags'    => array_map( 'intval', (array) ( $stored['tags'] ?? array() ) ),
		);
	}

	/**
	 * Whether this site runs FluentCRM.
	 *
	 * @return bool
	 */
	public static function is_fluentcrm_active() {
		return defined( 'FLUENTCRM' ) && class_exists( 'FluentCrm\App\Models\Subscriber' );
	}

	/**
	 * The table of this site.
	 *
	 * @return string
	 */
	private static function table() {
		global $wpdb;
		return $wpdb->prefix . 'memberhook_outbox';
	}

	/**
	 * Makes the table where it is missing: must-use plugins are never activated, nor are those of new network sites.
	 *
	 * @param bool $anyway Whether to look even if it was made before.
	 * @return bool
	 */
	private static function make_table( $anyway = false ) {
		global $wpdb;
		if ( ! $anyway && self::SCHEMA === (int) get_option( self::MADE, 0 ) ) {
			return true;
		}
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		$table = self::table();
		dbDelta(
			"CREATE TABLE $table (
  contact_id bigint(20) unsigned NOT NULL,
  version int(10) unsigned NOT NULL DEFAULT 1,
  queued_at bigint(20) unsigned NOT NULL,
  due_at bigint(20) unsigned NOT NULL,
  attempts int(10) unsigned NOT NULL DEFAULT 0,
  failed tinyint(1) NOT NULL DEFAULT 0,
  last_error varchar(300) NOT NULL DEFAULT '',
  PRIMARY KEY  (contact_id),
  KEY due (failed,due_at)
) {$wpdb->get_charset_collate()};"
		);
		update_option( self::MADE, self::SCHEMA );
		// Plugins of a network are deleted from its main site, wherever they were active.
		$switched = is_multisite() && switch_to_blog( get_main_site_id() );
		register_uninstall_hook( __FILE__, array( __CLASS__, 'uninstall' ) );
		if ( $switched ) {
			restore_current_blog();
		}
		return true;
	}

	/** Makes the table, and has it removed with the plugin. */
	public static function activate() {
		self::make_table( true );
	}

	/** Plans nothing more. What waits is kept. */
	public static function deactivate() {
		wp_clear_scheduled_hook( self::SEND );
		wp_clear_scheduled_hook( self::SWEEP );
	}

	/** Leaves nothing of the outbox behind, on no site. Members keep their tags: what they may see depends on them. */
	public static function uninstall() {
		global $wpdb;
		$every = array(
			'fields' => 'ids',
			'number' => 0,
		);
		foreach ( is_multisite() ? get_sites( $every ) : array( get_current_blog_id() ) as $site ) {
			$switched = is_multisite() && switch_to_blog( $site );
			$table    = self::table();
			$wpdb->query( "DROP TABLE IF EXISTS $table" ); // phpcs:ignore WordPress.DB
			array_map( 'delete_option', array( self::SETTINGS, self::KEY, self::LOG, self::PAUSED, self::MADE ) );
			delete_transient( self::SLOW );
			self::deactivate(); // WordPress does that on one site only.
			if ( $switched ) {
				restore_current_blog();
			}
		}
	}

	/**
	 * A text that fits where it is kept.
	 *
	 * @param string $text Any.
	 * @return string
	 */
	private static function shorten( $text ) {
		return mb_substr( wp_check_invalid_utf8( $text, true ), 0, 300 );
	}

}

// ---------------------------------------------------------------------------------------------------------------------
// 5 The page in wp-admin.

add_action( 'admin_menu', array( 'Memberhook_Page', 'add' ) );
add_action( 'admin_init', array( 'Memberhook_Page', 'register' ) );
add_action( 'admin_post_memberhook_test', array( 'Memberhook_Page', 'test' ) );
add_action( 'admin_post_memberhook_send_all', array( 'Memberhook_Page', 'send_all' ) );

/**
 * Settings > Memberhook: where changes go, the key, who becomes a member, a test, and the last deliveries.
 */
final class Memberhook_Page {

	const SLUG  = 'memberhook';
	const GROUP = 'memberhook_outbox';

	/** Puts the page into the menu. */
	public static function add() {
		add_options_page( 'Memberhook', 'Memberhook', 'manage_options', self::SLUG, array( __CLASS__, 'show' ) );
	}

	/** What may be saved, and how it is checked. The Settings API looks at nonce and capability. */
	public static function register() {
		register_setting( self::GROUP, Memberhook_Outbox::SETTINGS, array( 'sanitize_callback' => array( __CLASS__, 'clean_settings' ) ) );
		register_setting( self::GROUP, Memberhook_Outbox::KEY, array( 'sanitize_callback' => array( __CLASS__, 'clean_key' ) ) );
	}

	/**
	 * The settings as they are stored.
	 *
	 * @param mixed $sent From the form.
	 * @return array
	 */
	public static function clean_settings( $sent ) {
		$sent = is_array( $sent ) ? $sent : array();
		$url  = $sent['url'] ?? '';
		$url  = is_string( $url ) ? esc_url_raw( trim( $url ), array( 'https', 'http' ) ) : '';
		if ( '' !== $url && ! preg_match( '~/hooks/[^/?#]+/events/?$~', $url ) ) {
			self::error(
				'url',
				__(
					'The address was not saved: it ends in /hooks/NAME/events. Copy it from where the signing key was shown.',
					'memberhook-connector'
				)
			);
			$url = Memberhook_Outbox::settings()['url'];
		}
		$tags = array_map( 'absint', (array) ( $sent['tags'] ?? array() ) );
		return array(
			'enabled' => ! empty( $sent['enabled'] ),
			'url'     => $url,
			'members' => in_array( $sent['members'] ?? '', array( 'tags', 'all' ), true ) ? $sent['members'] : 'none',
			'tags'    => array_values( array_unique( array_filter( $tags ) ) ),
		);
	}

	/**
	 * The signing key; an empty field keeps the one that is stored.
	 *
	 * @param mixed $sent From the form.
	 * @return string
	 */
	public static function clean_key( $sent ) {
		$old  = (string) get_option( Memberhook_Outbox::KEY, '' );
		$sent = is_string( $sent ) ? trim( $sent ) : '';
		if ( '' === $sent ) {
			return $old;
		}
		if ( '' === Memberhook_Outbox::secret_bytes( $sent ) ) {
			$text = __( 'The signing key was not saved: it begins with whsec_ and is copied as a whole.', 'memberhook-connector' );
			self::error( 'key', $text );
			return $old;
		}
		return $sent;
	}

	/**
	 * Tells on the page what was not saved; also where settings are saved without a page.
	 *
	 * @param string $what    Which field.
	 * @param string $message Sentence.
	 */
	private static function error( $what, $message ) {
		if ( function_exists( 'add_settings_error' ) ) {
			add_settings_error( self::GROUP, $what, $message );
		}
	}

	/** Sends a test and shows the answer on the page. */
	public static function test() {
		self::check( 'memberhook_test' );
		$answer = Memberhook_Outbox::post( '{"type":"test"}' );
		if ( $answer['ok'] ) {
			/* translators: %s: Memberhook's own words */
			$text = sprintf( __( 'It works. Memberhook says: %s', 'memberhook-connector' ), $answer['said'] );
		} else {
			/* translators: %s: what went wrong */
			$text = sprintf( __( 'It does not work: %s', 'memberhook-connector' ), $answer['said'] );
		}
		self::back( $text, $answer['ok'] );
	}

	/** Sends what waits and what was given up. */
	public static function send_all() {
		self::check( 'memberhook_send_all' );
		Memberhook_Outbox::send_all_now();
		$left = array_sum( Memberhook_Outbox::counts() );
		/* translators: %d: number of contacts */
		$text = _n( '%d contact still waits.', '%d contacts still wait.', $left, 'memberhook-connector' );
		self::back( $left ? sprintf( $text, $left ) : __( 'Everything is sent.', 'memberhook-connector' ), ! $left );
	}

	/**
	 * Ends the request unless the user may do this and meant to.
	 *
	 * @param string $action What.
	 */
	private static function check( $action ) {
		if ( ! current_user_can( 'manage_options' ) ) {
			wp_die( esc_html__( 'You are not allowed to do this.', 'memberhook-connector' ), 403 );
		}
		check_admin_referer( $action );
	}

	/**
	 * Goes back to the page, which shows the text once.
	 *
	 * @param string $text Sentence.
	 * @param bool   $well Whether it is good news.
	 */
	private static function back( $text, $well ) {
		set_transient( 'memberhook_said_' . get_current_user_id(), array( $text, $well ), MINUTE_IN_SECONDS );
		wp_safe_redirect( admin_url( 'options-general.php?page=' . self::SLUG ) );
		exit;
	}

	/** The page. */
	public static function show() {
		echo '<div class="wrap"><h1>Memberhook</h1><p>';
		if ( Memberhook_Outbox::is_fluentcrm_active() ) {
			esc_html_e( 'New and changed contacts of this site\'s FluentCRM are passed on to Memberhook at once.', 'memberhook-connector' );
			echo ' ';
			esc_html_e( 'That goes for fields, tags, lists and status. No automation is needed for it.', 'memberhook-connector' );
			echo '</p>';
			self::show_notices();
			self::show_form();
			self::show_buttons();
			self::show_deliveries();
		} else {
			esc_html_e( 'FluentCRM is not active on this site, so there is nothing to set here.', 'memberhook-connector' );
			echo ' ';
			esc_html_e( 'Memberhook makes and changes members through this plugin without any setting.', 'memberhook-connector' );
			echo '</p>';
		}
		echo '</div>';
	}

	/** What a button has done, and what is wrong with the key. */
	private static function show_notices() {
		$name = 'memberhook_said_' . get_current_user_id();
		$said = get_transient( $name );
		if ( is_array( $said ) ) {
			delete_transient( $name );
			self::notice( (string) $said[0], $said[1] ? 'success' : 'error' );
		}
		$log = Memberhook_Outbox::last_deliveries();
		if ( $log && in_array( $log[0]['status'], array( 401, 403 ), true ) ) {
			/* translators: %s: Memberhook's own words */
			$text = __( 'Memberhook does not accept what this site sends, so changes wait here. It says: %s', 'memberhook-connector' );
			self::notice( sprintf( $text, $log[0]['said'] ), 'error' );
		}
		$settings = Memberhook_Outbox::settings();
		$by_tags  = $settings['enabled'] && 'tags' === $settings['members'];
		if ( ! $settings['enabled'] && '' !== $settings['url'] ) {
			$text = __( 'Nothing is passed on: "Pass changes on" is not ticked.', 'memberhook-connector' );
			self::notice( $text, 'warning' );
		} elseif ( $by_tags && ! array_intersect( $settings['tags'], array_keys( self::tags() ) ) ) {
			$text = __( 'Nobody new becomes a member: none of the tags is ticked.', 'memberhook-connector' );
			self::notice( $text, 'warning' );
		}
		if ( 0 === strpos( $settings['url'], 'http://' ) ) {
			$text = __( 'The address is not https, so others can read what is sent: use https.', 'memberhook-connector' );
			self::notice( $text, 'warning' );
		}
	}

	/**
	 * One notice.
	 *
	 * @param string $text Sentence.
	 * @param string $kind success, warning or error.
	 */
	private static function notice( $text, $kind ) {
		printf( '<div class="notice notice-%s"><p>%s</p></div>', esc_attr( $kind ), esc_html( $text ) );
	}

	/** The settings. The key is never printed. */
	private static function show_form() {
		add_option( Memberhook_Outbox::KEY, '', '', false ); // Else saving it would have it loaded on every page.
		$settings = Memberhook_Outbox::settings();
		$name     = Memberhook_Outbox::SETTINGS; // Needs no escaping.
		$has_key  = '' !== (string) get_option( Memberhook_Outbox::KEY, '' );
		echo '<form method="post" action="options.php">';
		settings_fields( self::GROUP );
		echo '<table class="form-table" role="presentation">';
		self::row(
			'memberhook-enabled',
			__( 'Pass changes on', 'memberhook-connector' ),
			"<input type='checkbox' id='memberhook-enabled' name='{$name}[enabled]' value='1'"
				. checked( $settings['enabled'], true, false ) . '>'
		);
		self::row(
			'memberhook-url',
			__( 'Address', 'memberhook-connector' ),
			sprintf(
				'<input type="url" class="regular-text code" id="memberhook-url" name="%s[url]" value="%s" placeholder="%s">',
				$name,
				esc_attr( $settings['url'] ),
				'https://members.example/hooks/NAME/events'
			)
		);
		self::row(
			'memberhook-key',
			__( 'Signing key', 'memberhook-connector' ),
			sprintf(
				'<input type="password" class="regular-text code" id="memberhook-key" name="%s" autocomplete="off" placeholder="whsec_…">'
					. '<p class="description">%s</p>',
				Memberhook_Outbox::KEY,
				$has_key
					? esc_html__( 'Stored. Leave this empty to keep it.', 'memberhook-connector' )
					: esc_html__( 'Memberhook shows it once: memberhook key add NAME --signing', 'memberhook-connector' )
			)
		);
		$choices = array(
			'none' => __( 'Nobody new: only those who are members already are kept in step', 'memberhook-connector' ),
			'tags' => __( 'Contacts with one of the tags below', 'memberhook-connector' ),
			'all'  => __( 'Every contact', 'memberhook-connector' ),
		);
		$radios  = '';
		foreach ( $choices as $value => $text ) {
			$radios .= self::choice( 'radio', "{$name}[members]", $value, $settings['members'] === $value, $text );
		}
		self::row( '', __( 'Who becomes a member', 'memberhook-connector' ), "<fieldset>$radios</fieldset>" );
		$boxes = '';
		foreach ( self::tags() as $id => $title ) {
			$boxes .= self::choice( 'checkbox', "{$name}[tags][]", $id, in_array( $id, $settings['tags'], true ), $title );
		}
		$boxes = $boxes ? $boxes : esc_html__( 'FluentCRM has no tags yet.', 'memberhook-connector' );
		self::row( '', __( 'Tags', 'memberhook-connector' ), "<fieldset style='max-height:16em;overflow:auto'>$boxes</fieldset>" );
		echo '</table>';
		submit_button();
		echo '</form>';
	}

	/**
	 * One of several things to choose.
	 *
	 * @param string     $type  Of the input: radio or checkbox.
	 * @param string     $name  Of the input.
	 * @param string|int $value Of the input.
	 * @param bool       $is_on Whether it is chosen.
	 * @param string     $text  Plain text.
	 * @return string HTML.
	 */
	private static function choice( $type, $name, $value, $is_on, $text ) {
		$input = sprintf( '<input type="%s" name="%s" value="%s"%s>', $type, $name, esc_attr( $value ), checked( $is_on, true, false ) );
		return "<label>$input " . esc_html( $text ) . '</label><br>';
	}

	/**
	 * One row of the form.
	 *
	 * @param string $id    Of the input that the label is for, if it is one.
	 * @param string $label Plain text.
	 * @param string $html  The inputs, escaped.
	 */
	private static function row( $id, $label, $html ) {
		$label = $id ? sprintf( '<label for="%s">%s</label>', esc_attr( $id ), esc_html( $label ) ) : esc_html( $label );
		echo "<tr><th scope='row'>$label</th><td>$html</td></tr>"; // phpcs:ignore WordPress.Security -- escaped above.
	}

	/**
	 * FluentCRM's tags.
	 *
	 * @return array<int, string> Titles by id.
	 */
	private static function tags() {
		$found = array();
		try {
			foreach ( \FluentCrm\App\Models\Tag::orderBy( 'title', 'ASC' )->get() as $tag ) {
				$found[ (int) $tag->id ] = (string) $tag->title;
			}
		} catch ( \Throwable $error ) {
			self::notice( __( 'FluentCRM\'s tags cannot be read.', 'memberhook-connector' ), 'error' );
		}
		return $found;
	}

	/** The test, and how much waits. */
	private static function show_buttons() {
		$counts  = Memberhook_Outbox::counts();
		$waiting = $counts['waiting'];
		$failed  = $counts['failed'];
		echo '<h2>' . esc_html__( 'Deliveries', 'memberhook-connector' ) . '</h2><p>';
		/* translators: %d: number of contacts */
		$text = _n( '%d contact is waiting to be sent.', '%d contacts are waiting to be sent.', $waiting, 'memberhook-connector' );
		echo esc_html( sprintf( $text, $waiting ) );
		if ( $failed ) {
			$text = _n(
				/* translators: %d: number of contacts */
				'%d contact was tried for three days and given up.',
				'%d contacts were tried for three days and given up.',
				$failed,
				'memberhook-connector'
			);
			echo ' <strong>' . esc_html( sprintf( $text, $failed ) ) . '</strong>';
		}
		echo '</p>';
		self::button( 'memberhook_test', __( 'Test', 'memberhook-connector' ) );
		if ( array_sum( $counts ) ) {
			self::button( 'memberhook_send_all', __( 'Send all now', 'memberhook-connector' ) );
		}
	}

	/**
	 * A button with a form of its own.
	 *
	 * @param string $action Its action, which is that of its nonce, too.
	 * @param string $label  Plain text.
	 */
	private static function button( $action, $label ) {
		$url = admin_url( 'admin-post.php' );
		printf( '<form method="post" action="%s" style="display:inline-block;margin-right:1em">', esc_url( $url ) );
		printf( '<input type="hidden" name="action" value="%s">', esc_attr( $action ) );
		wp_nonce_field( $action );
		submit_button( $label, 'secondary', 'submit', false );
		echo '</form>';
	}

	/** The last deliveries. */
	private static function show_deliveries() {
		printf(
			'<table class="widefat striped" style="margin-top:1em"><thead><tr><th>%s</th><th>%s</th><th>%s</th></tr></thead><tbody>',
			esc_html__( 'Time', 'memberhook-connector' ),
			esc_html__( 'Contacts', 'memberhook-connector' ),
			esc_html__( 'Answer', 'memberhook-connector' )
		);
		$log = Memberhook_Outbox::last_deliveries();
		foreach ( $log as $one ) {
			$time   = wp_date( 'Y-m-d H:i:s', $one['time'] );
			$result = $one['ok'] ? __( 'Stored.', 'memberhook-connector' ) : __( 'Not sent; it is tried again.', 'memberhook-connector' );
			$answer = trim( $result . ' ' . $one['said'] );
			printf( '<tr><td>%s</td><td>%d</td><td>%s</td></tr>', esc_html( $time ), (int) $one['count'], esc_html( $answer ) );
		}

		if ( ! $log ) {
			echo '<tr><td colspan="3">' . esc_html__( 'Nothing has been sent yet.', 'memberhook-connector' ) . '</td></tr>';
		}
		echo '</tbody></table>';
	}
}
