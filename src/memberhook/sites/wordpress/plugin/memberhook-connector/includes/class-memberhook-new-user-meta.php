<?php
/**
 * Speeds up `wp_insert_user()`.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Writes the meta of a new user in one statement.
 *
 * `wp_insert_user()` calls `update_user_meta()` about twenty times, and each call asks the database for the key and then
 * inserts a row. This class inserts all rows at once just before and puts them into the object cache. The calls then find
 * every value as it should be and change nothing. They are still core's own calls, so their filters run and other code gets
 * core's return values and ids from every function that it calls itself.
 *
 * What would be missing are the hooks of adding (and their effects): where anything listens to one of them, or stands in
 * for reading or updating, this class steps aside and core does all the work. The same goes for a single key that has a
 * sanitize callback.
 */
final class Memberhook_New_User_Meta {
	/** Hooks that run in a different way, or not at all, if the rows already exist. */
	const HOOKS = array(
		'all',
		'add_user_metadata',
		'update_user_metadata',
		'get_user_metadata',
		'add_user_meta',
		'added_user_meta',
	);

	/** Core's own listener to `added_user_meta`, called here once instead of once per row. */
	const CORE_LISTENER = 'wp_cache_set_users_last_changed';

	/**
	 * The user whose meta is written.
	 *
	 * @var int
	 */
	private static $user_id = 0;

	/**
	 * Written values that are no strings, by key, until core has had its turn.
	 *
	 * @var array
	 */
	private static $numbers = array();

	/**
	 * Calls `wp_insert_user()`.
	 *
	 * @param array $data Slashed, for a new user.
	 * @return int|WP_Error
	 */
	public static function insert( $data ) {
		add_filter( 'insert_user_meta', array( __CLASS__, 'collect' ), PHP_INT_MAX, 3 );
		try {
			return wp_insert_user( $data );
		} finally {
			remove_filter( 'insert_user_meta', array( __CLASS__, 'collect' ), PHP_INT_MAX );
			remove_filter( 'update_user_metadata', array( __CLASS__, 'skip_number' ), PHP_INT_MAX );
		}
	}

	/**
	 * Waits for the second half of the meta (the filter `insert_custom_user_meta` runs next), then writes both.
	 *
	 * @param array   $meta   What core adds to every user; returned unchanged.
	 * @param WP_User $user   The user.
	 * @param bool    $update Whether the user existed before.
	 * @return array
	 */
	public static function collect( $meta, $user, $update ) {
		if ( $update ) {
			return $meta; // Other code updates somebody from a hook of this one.
		}
		$write = function ( $custom, $its_user, $its_update, $data ) use ( &$write, $meta, $user ) {
			remove_filter( 'insert_custom_user_meta', $write, PHP_INT_MAX );
			if ( $its_user->ID === $user->ID && self::can_write( $user ) ) {
				self::write( $user, array_merge( $meta, $custom ), $data );
			}
			return $custom;
		};
		add_filter( 'insert_custom_user_meta', $write, PHP_INT_MAX, 4 );
		return $meta;
	}

	/**
	 * Tells core that a number has not changed. It compares strictly, and the database gives back a string.
	 *
	 * @param null|bool $check   Null, since nothing else uses this filter.
	 * @param int       $user_id The user.
	 * @param string    $key     The key.
	 * @param mixed     $value   Its new value.
	 * @return null|bool
	 */
	public static function skip_number( $check, $user_id, $key, $value ) {
		if ( self::$user_id !== (int) $user_id || ! array_key_exists( $key, self::$numbers ) ) {
			return $check;
		}
		$is_same = null === $check && self::$numbers[ $key ] === $value;
		unset( self::$numbers[ $key ] );
		return $is_same ? false : $check;
	}

	/**
	 * Whether nobody can see the difference.
	 *
	 * @param WP_User $user The new user.
	 * @return bool
	 */
	private static function can_write( WP_User $user ) {
		foreach ( self::HOOKS as $hook ) {
			$core = 'added_user_meta' === $hook && false !== has_action( $hook, self::CORE_LISTENER ) ? 1 : 0;
			if ( self::count_listeners( $hook ) > $core ) {
				return false;
			}
		}
		return array() === wp_cache_get( $user->ID, 'user_meta' ); // Nobody has added meta yet.
	}

	/**
	 * How many callbacks a hook has.
	 *
	 * @param string $hook Its name.
	 * @return int
	 */
	private static function count_listeners( $hook ) {
		global $wp_filter;
		return isset( $wp_filter[ $hook ] ) ? array_sum( array_map( 'count', $wp_filter[ $hook ]->callbacks ) ) : 0;
	}

	/**
	 * Writes the rows.
	 *
	 * @param WP_User $user The new user.
	 * @param array   $meta Values by key, slashed.
	 * @param array   $data As given to `wp_insert_user()`.
	 * @throws Memberhook_Rejection If the database refuses them.
	 */
	private static function write( WP_User $user, $meta, $data ) {
		global $wpdb;
		$values = array();
		foreach ( $meta as $key => $value ) {
			$values[ wp_unslash( (string) $key ) ] = wp_unslash( $value );
		}
		$values += self::role_meta( $user, $data );
		$rows    = array();
		$cached  = array();
		$numbers = array();
		foreach ( $values as $key => $value ) {
			if ( ! has_filter( "sanitize_user_meta_$key" ) && ! has_filter( "sanitize_user_meta_{$key}_for_user" ) ) {
				$stored         = (string) maybe_serialize( $value );
				$rows[]         = $wpdb->prepare( '(%d, %s, %s)', $user->ID, $key, $stored );
				$cached[ $key ] = array( $stored );
				if ( ! is_string( $value ) && ! is_array( $value ) ) {
					$numbers[ $key ] = $value;
				}
			}
		}
		$count = $wpdb->query( "INSERT INTO $wpdb->usermeta (user_id, meta_key, meta_value) VALUES " . implode( ', ', $rows ) ); // phpcs:ignore WordPress.DB.PreparedSQL.NotPrepared -- each row is prepared.
		if ( count( $rows ) !== $count ) {
			throw new Memberhook_Rejection( 'error', 'The database of the WordPress site refused a field of the member.' );
		}
		if ( has_action( 'added_user_meta', self::CORE_LISTENER ) ) {
			wp_cache_set_users_last_changed();
		}
		wp_cache_set( $user->ID, $cached, 'user_meta' );
		self::$user_id = $user->ID;
		self::$numbers = $numbers;
		add_filter( 'update_user_metadata', array( __CLASS__, 'skip_number' ), PHP_INT_MAX, 4 );
	}

	/**
	 * The meta that `WP_User::set_role()` writes for the first role.
	 *
	 * @param WP_User $user The new user.
	 * @param array   $data As given to `wp_insert_user()`.
	 * @return array
	 */
	private static function role_meta( WP_User $user, $data ) {
		global $wpdb;
		if ( ! isset( $data['role'] ) ) {
			return array();
		}
		$role = get_role( $data['role'] );
		$caps = '' === $data['role'] ? array() : array( $data['role'] => true );
		$all  = array_merge( $role ? $role->capabilities : array(), $caps );
		return array(
			$user->cap_key                          => $caps,
			$wpdb->get_blog_prefix() . 'user_level' => array_reduce( array_keys( $all ), array( $user, 'level_reduction' ), 0 ),
		);
	}
}
