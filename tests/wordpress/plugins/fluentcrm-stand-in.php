<?php
/**
 * Plugin Name: FluentCRM stand-in
 * Description: For tests only: what the connector uses of FluentCRM (2.9.84), in tables of the same names, and what Memberhook reads.
 * Version: 0
 *
 * @package Memberhook
 */

// phpcs:disable -- one small file for tests, several namespaces in it.

namespace FluentCrm\App\Services {

	class Helper {
		public static function isUserSyncEnabled() {
			return (bool) get_option( 'stand_in_user_sync' );
		}
	}
}

namespace FluentCrm\App\Models {

	/** Finds rows of one table: as much of a query builder as is needed. */
	class Query {
		private $class;
		private $where = '1 = 1';

		public function __construct( $class ) {
			$this->class = $class;
		}

		public function whereIn( $column, $values ) {
			$this->where .= " AND $column IN (" . implode( ', ', array_map( 'intval', $values ) ?: array( 0 ) ) . ')';
			return $this;
		}

		public function where( $column, $value ) {
			global $wpdb;
			$this->where .= $wpdb->prepare( " AND $column = %s", $value );
			return $this;
		}

		public function get() {
			global $wpdb;
			$class = $this->class;
			$rows  = $wpdb->get_results( "SELECT * FROM {$wpdb->prefix}{$class::$table} WHERE {$this->where} ORDER BY id", ARRAY_A );
			return array_map( function ( $row ) use ( $class ) { return new $class( $row ); }, $rows );
		}

		public function first() {
			return $this->get()[0] ?? null;
		}
	}

	class Model {
		protected $row;

		public function __construct( $row ) {
			$this->row = $row;
		}

		public function __get( $name ) {
			return $this->row[ $name ] ?? null;
		}

		public function __isset( $name ) {
			return isset( $this->row[ $name ] );
		}

		public static function with( $relations ) {
			return new Query( static::class );
		}

		public static function where( $column, $value ) {
			return ( new Query( static::class ) )->where( $column, $value );
		}

		public static function orderBy( $column, $direction ) {
			return new Query( static::class );
		}
	}

	class Tag extends Model {
		public static $table = 'fc_tags';
	}

	class Lists extends Model {
		public static $table = 'fc_lists';
	}

	class SubscriberMeta extends Model {
		private static $listeners = array();

		public static function saved( $callback ) {
			self::$listeners[] = $callback;
		}

		public static function save( $contact, $key, $value ) {
			global $wpdb;
			$row = array( 'subscriber_id' => $contact, 'object_type' => 'custom_field', 'key' => $key, 'value' => maybe_serialize( $value ) );
			$wpdb->delete( $wpdb->prefix . 'fc_subscriber_meta', array( 'subscriber_id' => $contact, 'key' => $key ) );
			$wpdb->insert( $wpdb->prefix . 'fc_subscriber_meta', $row );
			foreach ( self::$listeners as $listener ) {
				$listener( new self( $row ) );
			}
		}
	}

	class Subscriber extends Model {
		public static $table = 'fc_subscribers';

		public function __get( $name ) {
			if ( 'tags' === $name || 'lists' === $name ) {
				return $this->labels( 'tags' === $name ? Tag::class : Lists::class );
			}
			return parent::__get( $name );
		}

		public function toArray() {
			return $this->row + array( 'full_name' => trim( $this->first_name . ' ' . $this->last_name ), 'tags' => array(), 'lists' => array() );
		}

		public function custom_fields() {
			global $wpdb;
			$rows = $wpdb->get_results( $wpdb->prepare( "SELECT `key`, value FROM {$wpdb->prefix}fc_subscriber_meta WHERE subscriber_id = %d", $this->id ) );
			return array_map( 'maybe_unserialize', wp_list_pluck( $rows, 'value', 'key' ) );
		}

		public function attachTags( $ids ) {
			return $this->change( Tag::class, $ids, true, 'fluent_crm/contact_added_to_tags' );
		}

		public function detachTags( $ids ) {
			return $this->change( Tag::class, $ids, false, 'fluent_crm/contact_removed_from_tags' );
		}

		public function attachLists( $ids ) {
			return $this->change( Lists::class, $ids, true, 'fluent_crm/contact_added_to_lists' );
		}

		public function detachLists( $ids ) {
			return $this->change( Lists::class, $ids, false, 'fluent_crm/contact_removed_from_lists' );
		}

		public function updateStatus( $status ) {
			global $wpdb;
			$old = $this->status;
			$wpdb->update( $wpdb->prefix . self::$table, array( 'status' => $status ), array( 'id' => $this->id ) );
			$this->row['status'] = $status;
			do_action( 'fluent_crm/subscriber_status_changed', $this, $old, $status );
		}

		private function labels( $kind ) {
			global $wpdb;
			$ids = $wpdb->get_col( $wpdb->prepare( "SELECT object_id FROM {$wpdb->prefix}fc_subscriber_pivot WHERE subscriber_id = %d AND object_type = %s", $this->id, $kind ) );
			return ( new Query( $kind ) )->whereIn( 'id', $ids )->get();
		}

		private function change( $kind, $ids, $adds, $action ) {
			global $wpdb;
			foreach ( $ids as $id ) {
				$row = array( 'subscriber_id' => $this->id, 'object_id' => $id, 'object_type' => $kind );
				$wpdb->delete( $wpdb->prefix . 'fc_subscriber_pivot', $row );
				if ( $adds ) {
					$wpdb->insert( $wpdb->prefix . 'fc_subscriber_pivot', $row );
				}
			}
			do_action( $action, $this, $ids );
			return $this;
		}
	}
}

namespace {

	define( 'FLUENTCRM', 'fluentcrm' );

	/** Makes the tables, and two tags and a list. */
	function stand_in_install() {
		global $wpdb;
		$p = $wpdb->prefix;
		foreach ( array( 'fc_subscribers', 'fc_tags', 'fc_lists', 'fc_subscriber_pivot', 'fc_subscriber_meta' ) as $table ) {
			$wpdb->query( "DROP TABLE IF EXISTS $p$table" );
		}
		$wpdb->query( "CREATE TABLE {$p}fc_subscribers (id INT AUTO_INCREMENT PRIMARY KEY, hash VARCHAR(32), email VARCHAR(190) UNIQUE, first_name VARCHAR(190), last_name VARCHAR(190), status VARCHAR(50) DEFAULT 'subscribed', user_id INT NULL, updated_at DATETIME)" );
		$wpdb->query( "CREATE TABLE {$p}fc_tags (id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(190), slug VARCHAR(190))" );
		$wpdb->query( "CREATE TABLE {$p}fc_lists (id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(190), slug VARCHAR(190))" );
		$wpdb->query( "CREATE TABLE {$p}fc_subscriber_pivot (subscriber_id INT, object_id INT, object_type VARCHAR(50))" );
		$wpdb->query( "CREATE TABLE {$p}fc_subscriber_meta (subscriber_id INT, object_type VARCHAR(50), `key` VARCHAR(190), value TEXT)" );
		$wpdb->query( "INSERT INTO {$p}fc_tags (title, slug) VALUES ('Course', 'course'), ('News <b>', 'news')" );
		$wpdb->query( "INSERT INTO {$p}fc_lists (title, slug) VALUES ('Main', 'main')" );
	}
	register_activation_hook( __FILE__, 'stand_in_install' );

	/** FluentCrmApi( 'contacts' )->createOrUpdate( array ). */
	function FluentCrmApi( $name ) {
		return new class() {
			public function createOrUpdate( $data ) {
				global $wpdb;
				$table  = $wpdb->prefix . 'fc_subscribers';
				$values = array_intersect_key( $data, array_flip( array( 'email', 'first_name', 'last_name', 'status' ) ) );
				$values = $values + array( 'hash' => md5( $data['email'] ), 'updated_at' => current_time( 'mysql' ) );
				$old    = $this->getContact( $data['email'] );
				if ( $old ) {
					$wpdb->update( $table, $values, array( 'id' => $old->id ) );
				} else {
					$wpdb->insert( $table, $values );
				}
				$contact = $this->getContact( $data['email'] );
				foreach ( $data['custom_values'] ?? array() as $key => $value ) {
					FluentCrm\App\Models\SubscriberMeta::save( $contact->id, $key, $value );
				}
				if ( isset( $data['tags'] ) ) {
					$contact->attachTags( $data['tags'] );
				}
				do_action( $old ? 'fluent_crm/contact_updated' : 'fluent_crm/contact_created', $contact, $values );
				return $contact;
			}

			public function getContact( $email ) {
				return FluentCrm\App\Models\Subscriber::where( 'email', $email )->first();
			}
		};
	}

	add_action( 'plugins_loaded', function () { do_action( 'fluentcrm_loaded', null ); } );

	// A new user is noted with the contact of that e-mail, and with the sync on a user's names and e-mail go to the contact.
	// FluentCRM writes both past its models and tells nobody.
	add_action( 'user_register', function ( $id ) {
		global $wpdb;
		$wpdb->update( $wpdb->prefix . 'fc_subscribers', array( 'user_id' => $id ), array( 'email' => get_userdata( $id )->user_email ) );
	}, 99 );
	add_action( 'profile_update', function ( $id, $before ) {
		global $wpdb;
		$user = get_userdata( $id );
		if ( FluentCrm\App\Services\Helper::isUserSyncEnabled() ) {
			$now = array( 'email' => $user->user_email, 'first_name' => $user->first_name, 'last_name' => $user->last_name, 'updated_at' => current_time( 'mysql' ) );
			$wpdb->update( $wpdb->prefix . 'fc_subscribers', $now, array( 'email' => $before->user_email ) );
			$wpdb->update( $wpdb->prefix . 'fc_subscribers', array_diff_key( $now, array( 'email' => 0 ) ), array( 'email' => $user->user_email ) );
		}
	}, 10, 2 );

	/** A contact as FluentCRM's REST API shows it; a listing has another word for the custom fields. */
	function stand_in_contact( $contact, $custom ) {
		$labels = function ( $found ) {
			return array_map( function ( $one ) { return array( 'id' => (int) $one->id, 'title' => $one->title, 'slug' => $one->slug ); }, $found );
		};
		$shown = array( 'id' => (int) $contact->id, 'tags' => $labels( $contact->tags ), 'lists' => $labels( $contact->lists ) );
		return $shown + array( $custom => (object) $contact->custom_fields() ) + $contact->toArray();
	}

	function stand_in_page( $rows ) {
		return array( 'total' => count( $rows ), 'per_page' => 100, 'current_page' => 1, 'last_page' => 1, 'data' => $rows );
	}

	// What Memberhook reads of FluentCRM's REST API, in the shape that was recorded. Of the filters only that by id is there.
	add_action( 'rest_api_init', function () {
		$routes = array(
			'/subscribers'            => function ( $request ) {
				$query  = FluentCrm\App\Models\Subscriber::orderBy( 'id', 'ASC' );
				$filter = json_decode( $request['advanced_filters'] ?? '', true )[0][0] ?? null;
				if ( $filter && array( 'subscriber', 'id' ) === $filter['source'] ) {
					$query->whereIn( 'id', $filter['value'] );
				}
				$rows = array_map( function ( $contact ) { return stand_in_contact( $contact, 'custom_fields' ); }, $query->get() );
				return array( 'subscribers' => stand_in_page( $rows ) );
			},
			'/subscribers/(?P<id>\d+)' => function ( $request ) {
				$contact = FluentCrm\App\Models\Subscriber::where( 'id', $request['id'] )->first();
				$gone    = new WP_REST_Response( array( 'message' => 'Subscriber not found' ), 422 );
				return $contact ? array( 'subscriber' => stand_in_contact( $contact, 'custom_values' ) ) : $gone;
			},
			'/tags'                   => function () {
				global $wpdb;
				return array( 'tags' => stand_in_page( $wpdb->get_results( "SELECT * FROM {$wpdb->prefix}fc_tags" ) ) );
			},
			'/lists'                  => function () {
				global $wpdb;
				return array( 'lists' => $wpdb->get_results( "SELECT * FROM {$wpdb->prefix}fc_lists" ) );
			},
			'/custom-fields/contacts' => function () {
				return array( 'fields' => array( array( 'type' => 'text', 'label' => 'Level', 'slug' => 'level' ) ) );
			},
		);
		foreach ( $routes as $route => $answer ) {
			$may = function () { return current_user_can( 'manage_options' ); };
			register_rest_route( 'fluent-crm/v2', $route, array( 'methods' => 'GET', 'permission_callback' => $may, 'callback' => $answer ) );
		}
	} );

	// A page that changes contacts: POST a list of what createOrUpdate takes.
	add_action( 'rest_api_init', function () {
		register_rest_route( 'stand-in/v1', '/contacts', array(
			'methods'             => 'POST',
			'permission_callback' => '__return_true',
			'callback'            => function ( $request ) {
				return array_map( function ( $data ) { return (int) FluentCrmApi( 'contacts' )->createOrUpdate( $data )->id; }, $request->get_json_params() );
			},
		) );
	} );
}
