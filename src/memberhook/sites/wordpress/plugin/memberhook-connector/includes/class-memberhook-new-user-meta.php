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
 * `wp_insert_user()` writes about twenty keys one by one, and older versions ask the database for each key first. This
 * class takes them over at the end of the filters that collect them, inserts all rows at once and puts them into the object
 * cache. It replaces no function of core: other code gets core's own return values and ids from everything that it calls.
 *
 * What would be missing are the hooks that run when a row is added (and their effects). Where anything listens to one of
 * those, this class steps aside and core does all the work. A single key that has a sanitize callback is left to core, too.
 */
final class Memberhook_New_User_Meta {
	/** Hooks that core would run for each row. */
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
	 * The user's level, until core has had its turn.
	 *
	 * @var int|null
	 */
	private static $level = null;

	/**
	 * The meta as cached; null if nothing is written or other code has changed it.
	 *
	 * @var array[]|null
	 */
	private static $cached = null;

	/**
	 * Calls `wp_insert_user()`.
	 *
	 * @param array $data Slashed, for a new user.
	 * @return int|WP_Error
	 */
	public static function insert( $data ) {
		self::$cached = null;
		add_filter( 'insert_user_meta', array( __CLASS__, 'take_over' ), PHP_INT_MAX, 3 );
		add_action( 'set_user_role', array( __CLASS__, 'check_cache' ), PHP_INT_MAX, 0 );
		add_action( 'user_register', array( __CLASS__, 'restore_cache' ), PHP_INT_MIN, 0 );
		try {
			return wp_insert_user( $data );
		} finally {
			remove_filter( 'insert_user_meta', array( __CLASS__, 'take_over' ), PHP_INT_MAX );
			remove_filter( 'update_user_metadata', array( __CLASS__, 'skip_level' ), PHP_INT_MAX );
			remove_action( 'set_user_role', array( __CLASS__, 'check_cache' ), PHP_INT_MAX );
			remove_action( 'user_register', array( __CLASS__, 'restore_cache' ), PHP_INT_MIN );
		}
	}

	/**
	 * Notes whether the meta is still what was written, after all listeners to the user's role.
	 */
	public static function check_cache() {
		if ( null !== self::$cached && wp_cache_get( self::$user_id, 'user_meta' ) !== self::$cached ) {
			self::$cached = null;
		}
	}

	/**
	 * Restores the cached meta that newer versions of core have just dropped together with the cached user.
	 */
	public static function restore_cache() {
		if ( null !== self::$cached && ! has_action( 'clean_user_cache' ) && ! wp_cache_get( self::$user_id, 'user_meta' ) ) {
			wp_cache_set( self::$user_id, self::$cached, 'user_meta' );
		}
		self::$cached = null;
	}

	/**
	 * Takes the first half of the meta; the filter `insert_custom_user_meta` runs next and has the second one.
	 *
	 * @param array   $meta   What core writes for every user.
	 * @param WP_User $user   The user.
	 * @param bool    $update Whether the user existed before.
	 * @return array What is left to core.
	 */
	public static function take_over( $meta, $user, $update ) {
		if ( $update || ! self::can_write( $user ) ) {
			return $meta;
		}
		$write = function ( $custom, $its_user, $its_update, $data ) use ( &$write, $meta, $user ) {
			if ( $its_user->ID !== $user->ID ) {
				return $custom; // Another user, created or updated by other code from a hook of this one.
			}
			remove_filter( 'insert_custom_user_meta', $write, PHP_INT_MAX );
			$all = array_merge( $meta, $custom );
			return self::can_write( $user ) ? self::write( $user, $all, $data ) : $all;
		};
		add_filter( 'insert_custom_user_meta', $write, PHP_INT_MAX, 4 );
		return array();
	}

	/**
	 * Tells core that the level has not changed: it compares strictly, and the database returns a string.
	 *
	 * @param null|bool $check   Null, since nothing else uses this filter.
	 * @param int       $user_id The user.
	 * @param string    $key     The key.
	 * @param mixed     $value   Its new value.
	 * @return null|bool
	 */
	public static function skip_level( $check, $user_id, $key, $value ) {
		global $wpdb;
		if ( self::$user_id !== (int) $user_id || $wpdb->get_blog_prefix() . 'user_level' !== $key ) {
			return $check;
		}
		$is_same     = null === $check && self::$level === $value;
		self::$level = null;
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
	 * @return array What is left to core.
	 * @throws Memberhook_Rejection If the database refuses them.
	 */
	private static function write( WP_User $user, $meta, $data ) {
		global $wpdb;
		$rest   = array();
		$rows   = array();
		$cached = array();
		$values = array();
		foreach ( $meta as $key => $value ) {
			if ( self::is_sanitized( wp_unslash( (string) $key ) ) ) {
				$rest[ $key ] = $value;
			} else {
				$values[ wp_unslash( (string) $key ) ] = wp_unslash( $value );
			}
		}
		foreach ( $values + self::role_meta( $user, $data ) as $key => $value ) {
			$stored         = (string) maybe_serialize( $value );
			$rows[]         = $wpdb->prepare( '(%d, %s, %s)', $user->ID, $key, $stored );
			$cached[ $key ] = array( $stored );
		}
		if ( ! $rows ) {
			return $rest;
		}
		// phpcs:ignore WordPress.DB.PreparedSQL.NotPrepared -- each row is prepared.
		$count = $wpdb->query( "INSERT INTO $wpdb->usermeta (user_id, meta_key, meta_value) VALUES " . implode( ', ', $rows ) );
		if ( count( $rows ) !== $count ) {
			throw new Memberhook_Rejection( 'error', 'The database of the WordPress site refused a field of the member.' );
		}
		if ( has_action( 'added_user_meta', self::CORE_LISTENER ) ) {
			wp_cache_set_users_last_changed();
		}
		wp_cache_set( $user->ID, $cached, 'user_meta' );
		self::$cached = $rest ? null : $cached;
		add_filter( 'update_user_metadata', array( __CLASS__, 'skip_level' ), PHP_INT_MAX, 4 );
		return $rest;
	}

	/**
	 * Whether other code sanitizes the key.
	 *
	 * @param string $key The key.
	 * @return bool
	 */
	private static function is_sanitized( $key ) {
		return has_filter( "sanitize_user_meta_$key" ) || has_filter( "sanitize_user_meta_{$key}_for_user" );
	}

	/**
	 * The meta that `WP_User::set_role()` writes for the first role, unless other code sanitizes it.
	 *
	 * @param WP_User $user The new user.
	 * @param array   $data As given to `wp_insert_user()`.
	 * @return array
	 */
	private static function role_meta( WP_User $user, $data ) {
		global $wpdb;
		$level_key     = $wpdb->get_blog_prefix() . 'user_level';
		self::$user_id = $user->ID;
		self::$level   = null;
		if ( ! isset( $data['role'] ) || self::is_sanitized( $user->cap_key ) || self::is_sanitized( $level_key ) ) {
			return array();
		}
		$role = get_role( $data['role'] );
		$caps = '' === $data['role'] ? array() : array( $data['role'] => true );
		$all  = array_merge( $role ? $role->capabilities : array(), $caps );

		self::$level = array_reduce( array_keys( $all ), array( $user, 'level_reduction' ), 0 );
		return array(
			$user->cap_key => $caps,
			$level_key     => self::$level,
		);
	}
}
