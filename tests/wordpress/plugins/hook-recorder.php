<?php
/**
 * Records what listeners of WordPress's hooks see while a user is made or changed: once by core's own functions, once by the
 * connector. Included by tests; it is no plugin.
 *
 * Ids are replaced by where they come from, so that two users can be compared: the user by `user`, meta ids by their
 * distance from the newest one before.
 */

defined( 'ABSPATH' ) || exit;

/**
 * One recording.
 */
final class Hook_Recorder {
	const USERNAME = 'recorded';

	/** Hooks of users and their meta, each with the number of its arguments. */
	const HOOKS = array(
		'wp_pre_insert_user_data',
		'insert_user_meta',
		'insert_custom_user_meta',
		'add_user_metadata',
		'update_user_metadata',
		'get_user_metadata',
		'delete_user_metadata',
		'add_user_meta',
		'added_user_meta',
		'update_user_meta',
		'updated_user_meta',
		'delete_user_meta',
		'deleted_user_meta',
		'sanitize_user_meta_city',
		'sanitize_user_meta_first_name',
		'sanitize_user_meta_wp_user_level',
		'pre_user_first_name',
		'user_register',
		'profile_update',
		'set_user_role',
		'add_user_role',
		'remove_user_role',
		'all',
	);

	/**
	 * What was seen: hook, arguments.
	 *
	 * @var array[]
	 */
	private $seen = array();

	/**
	 * Id of the user.
	 *
	 * @var int
	 */
	private $user_id = 0;

	/**
	 * The newest meta id before.
	 *
	 * @var int
	 */
	private $base = 0;

	/**
	 * Whether core is inside of wp_insert_user(): only there reading is compared, for the connector reads for itself.
	 *
	 * @var bool
	 */
	private $inside = false;

	/**
	 * How many statements have added user meta.
	 *
	 * @var int
	 */
	private $inserts = 0;

	/**
	 * Listeners to remove: hook, callback, priority.
	 *
	 * @var array[]
	 */
	private $listeners = array();

	/**
	 * Runs something and says what was seen.
	 *
	 * @param string[]                $hooks Those to listen to.
	 * @param array<string, callable> $acts  What else listens, and does something.
	 * @param callable                $run   Makes or changes the user.
	 * @return array seen, inserts, rows (key => values).
	 */
	public function record( $hooks, $acts, $run ) {
		global $wpdb;
		$user          = get_user_by( 'login', self::USERNAME );
		$this->user_id = $user ? $user->ID : 0;
		$wpdb->insert( $wpdb->usermeta, array( 'meta_key' => 'hook_recorder' ) );
		$this->base = $wpdb->insert_id;
		$wpdb->delete( $wpdb->usermeta, array( 'umeta_id' => $this->base ) );
		$this->on( 'query', fn( $sql ) => $this->count( $sql ), 10 );
		$this->on( 'wp_pre_insert_user_data', fn( $data ) => $this->begin( $data ), PHP_INT_MIN );
		$this->on( 'insert_user_meta', fn( ...$arguments ) => $this->learn( ...$arguments ), PHP_INT_MIN );
		foreach ( $hooks as $hook ) {
			$this->on( $hook, fn( ...$arguments ) => $this->see( $hook, $arguments ), 10 );
		}
		foreach ( $acts as $hook => $act ) {
			$this->on( $hook, fn( ...$arguments ) => $act( $this, ...$arguments ), 20 );
		}
		$this->on( 'user_register', fn() => $this->finish(), PHP_INT_MAX );
		$this->on( 'profile_update', fn() => $this->finish(), PHP_INT_MAX );
		$run();
		foreach ( $this->listeners as list( $hook, $callback, $priority ) ) {
			remove_filter( $hook, $callback, $priority );
		}
		$rows = $wpdb->get_results(
			$wpdb->prepare( "SELECT meta_key, meta_value FROM $wpdb->usermeta WHERE user_id = %d ORDER BY umeta_id", $this->user_id ),
			ARRAY_N
		);
		return array(
			'seen'    => $this->mask( $this->seen ),
			'inserts' => $this->inserts,
			'rows'    => $rows,
			'cached'  => get_user_meta( $this->user_id ),
		);
	}

	/**
	 * Notes what a function of core returned to other code.
	 *
	 * @param string $name  Of the function.
	 * @param mixed  $value What it returned.
	 */
	public function returned( $name, $value ) {
		$this->seen[] = array( "$name()", is_int( $value ) ? 'meta ' . ( $value - $this->base ) : $value );
	}

	/**
	 * Adds a listener.
	 *
	 * @param string   $hook     Its name.
	 * @param callable $callback The listener.
	 * @param int      $priority Of it.
	 */
	private function on( $hook, $callback, $priority ) {
		add_filter( $hook, $callback, $priority, 99 );
		$this->listeners[] = array( $hook, $callback, $priority );
	}

	/**
	 * Counts statements that add user meta.
	 *
	 * @param string $sql Any.
	 * @return string
	 */
	private function count( $sql ) {
		global $wpdb;
		$this->inserts += preg_match( "/^\s*INSERT INTO `?{$wpdb->usermeta}\b/", $sql );
		return $sql;
	}

	/**
	 * Core begins.
	 *
	 * @param array $data Of the user.
	 * @return array
	 */
	private function begin( $data ) {
		$this->inside = true;
		return $data;
	}

	/** Core ends. */
	private function finish() {
		$this->inside = false;
	}

	/**
	 * Learns the id of a new user.
	 *
	 * @param array   $meta Meta.
	 * @param WP_User $user The user.
	 * @return array
	 */
	private function learn( $meta, $user ) {
		$this->user_id = $user->ID;
		return $meta;
	}

	/**
	 * Notes a call.
	 *
	 * @param string $hook      Its name.
	 * @param array  $arguments As given.
	 * @return mixed The first one.
	 */
	private function see( $hook, $arguments ) {
		$first = isset( $arguments[0] ) ? $arguments[0] : null;
		$name  = 'all' === $hook ? $first : $hook;
		$ours  = is_string( $name ) && in_array( $name, self::HOOKS, true );
		if ( $ours && ( $this->inside || 'get_user_metadata' !== $name ) ) {
			$plain = array_map( array( $this, 'plain' ), $arguments );
			if ( preg_match( '/^(added|update|updated|delete|deleted)_user_meta$/', $name ) ) {
				$at           = 'all' === $hook ? 1 : 0;
				$ids          = (array) $arguments[ $at ];
				$plain[ $at ] = array_map( fn( $id ) => 'meta ' . ( (int) $id - $this->base ), $ids );
			}
			$this->seen[] = array( $hook, $plain );
		}
		return $first;
	}

	/**
	 * A value as JSON can hold it, without what is never the same twice.
	 *
	 * @param mixed $value Any.
	 * @return mixed
	 */
	private function plain( $value ) {
		if ( $value instanceof WP_User ) {
			$value = array(
				'data'  => (array) $value->data,
				'caps'  => $value->caps,
				'roles' => $value->roles,
			);
		}
		if ( is_object( $value ) ) {
			$value = array_merge( array( 'class' => get_class( $value ) ), (array) $value );
		}
		if ( is_array( $value ) ) {
			foreach ( array( 'user_pass', 'user_registered', 'user_activation_key' ) as $secret ) {
				if ( isset( $value[ $secret ] ) ) {
					$value[ $secret ] = '';
				}
			}
			return array_map( array( $this, 'plain' ), $value );
		}
		return $value;
	}

	/**
	 * The same without the user's id. Nothing else in a test may be that number.
	 *
	 * @param mixed $value Any.
	 * @return mixed
	 */
	private function mask( $value ) {
		if ( is_array( $value ) ) {
			return array_map( array( $this, 'mask' ), $value );
		}
		return is_numeric( $value ) && (int) $value === $this->user_id ? gettype( $value ) . ' user' : $value;
	}
}
