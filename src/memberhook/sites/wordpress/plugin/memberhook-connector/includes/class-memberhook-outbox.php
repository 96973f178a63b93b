<?php
/**
 * Sends FluentCRM's changes to Memberhook.
 *
 * A change is stored during the request that makes it and sent after that request's response. What cannot be sent is
 * retried by cron. Only ids are stored: a contact is read from FluentCRM when it is sent, so it is sent as it is then.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

add_action( 'plugins_loaded', array( 'Memberhook_Outbox', 'listen' ), 0 );
add_action( 'rest_api_init', array( 'Memberhook_Outbox', 'register_route' ) );

/**
 * The changed contacts of this site's FluentCRM that are still to be sent.
 *
 * FluentCRM, pages and cron call its methods through guarded(): an error of this plugin must never break their request.
 */
final class Memberhook_Outbox {

	/** Version of the table; sites with an older one update it. */
	const SCHEMA = 1;

	/** Option with the settings, loaded on every request: enabled, url, members (none, tags, all), tags (ids). */
	const SETTINGS = 'memberhook_outbox';

	/** Option with the signing key; not autoloaded. */
	const KEY = 'memberhook_outbox_key';

	/** Further options: the last deliveries, until when sending is paused, the table's version. */
	const LOG           = 'memberhook_outbox_log';
	const PAUSED        = 'memberhook_outbox_paused_until';
	const SCHEMA_OPTION = 'memberhook_outbox_schema';

	/** Cron events: the next run, and an hourly one in case that is lost. */
	const SEND  = 'memberhook_outbox_send';
	const SWEEP = 'memberhook_outbox_sweep';

	/** REST route on which the site asks itself to send, and what its token is derived from. */
	const ROUTE = '/outbox/send';
	const WAKE  = 'memberhook_outbox_wake';

	/** Transient that is set if this site cannot call itself. */
	const SLOW = 'memberhook_outbox_slow';

	/** Contacts per request, and their bytes. Memberhook accepts 500 contacts and 1 MiB. */
	const BATCH       = 100;
	const BATCH_BYTES = 524288;

	/** Seconds: duration of a run, time-out of a request, first and longest delay, and when a contact is given up. */
	const RUN         = 20;
	const TIMEOUT     = 10;
	const FIRST_DELAY = 60;
	const MAX_DELAY   = 3600;
	const GIVE_UP     = 259200;

	/** FluentCRM's actions for changes of one or many contacts (2.9.84), which are among the arguments. */
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

	/** FluentCRM's actions for deleted tags and lists => the type under which it stores who has them. */
	const DELETIONS = array(
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
	 * Whether end_of_request() will run.
	 *
	 * @var bool
	 */
	private static $is_scheduled = false;

	/** Listens to FluentCRM, whether it is active or not. */
	public static function listen() {
		foreach ( self::CHANGES as $action ) {
			add_action( $action, self::guarded( 'record' ), 10, 3 );
		}
		foreach ( array_keys( self::DELETIONS ) as $action ) {
			add_action( $action, self::guarded( 'record_deletion' ), 1 ); // Before FluentCRM deletes who had it.
		}
		add_action( 'fluentcrm_loaded', self::guarded( 'listen_to_fields' ) );
		add_action( 'profile_update', self::guarded( 'record_user' ), 20 ); // After FluentCRM.
		add_action( self::SEND, self::guarded( 'send' ) );
		add_action( self::SWEEP, self::guarded( 'send' ) );
	}

	/**
	 * A method of this class as a callback whose errors only go to PHP's log.
	 *
	 * @param string $method Name of the method.
	 * @return callable
	 */
	private static function guarded( $method ) {
		return static function ( ...$arguments ) use ( $method ) {
			try {
				self::$method( ...$arguments );
			} catch ( \Throwable $error ) {
				$position = basename( $error->getFile() ) . ':' . $error->getLine();
				error_log( 'Memberhook Connector: ' . get_class( $error ) . ': ' . $error->getMessage() . " at $position" ); // phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- the only trace of an error that no page may show.
			}
		};
	}

	/** Listens to custom fields being saved: FluentCRM has no action for changing those of many contacts at once. */
	private static function listen_to_fields() {
		if ( self::settings()['enabled'] && is_callable( array( 'FluentCrm\App\Models\SubscriberMeta', 'saved' ) ) ) {
			\FluentCrm\App\Models\SubscriberMeta::saved( self::guarded( 'record_field' ) );
		}
	}

	/**
	 * Records the contact whose custom field was saved.
	 *
	 * @param \FluentCrm\App\Models\SubscriberMeta $value What was saved: the value of a field, or other data of a contact.
	 */
	private static function record_field( $value ) {
		if ( 'custom_field' === $value->object_type ) {
			self::queue( $value->subscriber_id );
		}
	}

	/**
	 * Records the contacts among the arguments of an action.
	 *
	 * @param mixed ...$arguments Contacts, lists of contacts, and other things.
	 */
	private static function record( ...$arguments ) {
		foreach ( $arguments as $argument ) {
			foreach ( is_iterable( $argument ) ? $argument : array( $argument ) as $one ) {
				if ( $one instanceof \FluentCrm\App\Models\Subscriber ) {
					self::queue( $one->id );
				}
			}
		}
	}

	/**
	 * Records all contacts that had a tag or list that is being deleted.
	 *
	 * @param int $id The tag or list.
	 */
	private static function record_deletion( $id ) {
		global $wpdb;
		if ( self::settings()['enabled'] ) {
			$found = $wpdb->get_col(
				$wpdb->prepare(
					"SELECT subscriber_id FROM {$wpdb->prefix}fc_subscriber_pivot WHERE object_type = %s AND object_id = %d",
					self::DELETIONS[ current_action() ],
					$id
				)
			);
			array_map( array( __CLASS__, 'queue' ), $found );
		}
	}

	/**
	 * Records the contact of a user if FluentCRM keeps it in sync with the user, for which it has no action either.
	 *
	 * @param int $id The user.
	 */
	private static function record_user( $id ) {
		$follows = array( 'FluentCrm\App\Services\Helper', 'isUserSyncEnabled' );
		if ( self::settings()['enabled'] && is_callable( $follows ) && $follows() ) {
			$user = get_userdata( $id );
			self::record( $user ? \FluentCrm\App\Models\Subscriber::where( 'email', $user->user_email )->first() : null );
		}
	}

	/**
	 * Keeps an id until the end of the request.
	 *
	 * @param mixed $id The contact.
	 */
	private static function queue( $id ) {
		if ( (int) $id < 1 || ! self::settings()['enabled'] ) {
			return;
		}
		self::$changed[ get_current_blog_id() ][ (int) $id ] = true;
		if ( ! self::$is_scheduled ) {
			self::$is_scheduled = true;
			if ( did_action( 'shutdown' ) ) {
				register_shutdown_function( self::guarded( 'end_of_request' ) );
			} else {
				add_action( 'shutdown', self::guarded( 'end_of_request' ), 1000 );
			}
		}
	}

	/** Stores what has changed, then has it sent when nobody is waiting for it. */
	private static function end_of_request() {
		$changed            = self::$changed;
		self::$changed      = array();
		self::$is_scheduled = false; // What changes after this schedules another end.
		foreach ( $changed as $blog => $ids ) {
			$switched = is_multisite() && get_current_blog_id() !== $blog && switch_to_blog( $blog );
			call_user_func( self::guarded( 'store' ), array_keys( $ids ) );
			if ( $switched ) {
				restore_current_blog();
			}
		}
	}

	/** Sends after the response, in this process or, if PHP cannot do that, in another one. */
	private static function send_soon() {
		if ( self::paused_until() > time() ) {
			self::schedule( self::paused_until() );
			return;
		}
		$can_finish = function_exists( 'fastcgi_finish_request' ) || function_exists( 'litespeed_finish_request' );
		if ( ( $can_finish || wp_doing_cron() ) && ! ( is_multisite() && ms_is_switched() ) ) {
			register_shutdown_function( self::guarded( 'send_after_response' ) ); // After all others.
		} else {
			// If the site cannot call itself, cron sends; not at once, so that the two do not collide.
			self::schedule( time() + ( get_transient( self::SLOW ) ? 0 : self::FIRST_DELAY ) );
			if ( ! self::is_sending() ) { // A process that is sending looks again when it is done.
				self::wake();
			}
		}
	}

	/** Finishes the response, then sends. */
	private static function send_after_response() {
		if ( PHP_SESSION_ACTIVE === session_status() ) {
			session_write_close(); // Otherwise the visitor's next page waits for this one.
		}
		ignore_user_abort( true );
		if ( function_exists( 'fastcgi_finish_request' ) ) {
			fastcgi_finish_request();
		} elseif ( function_exists( 'litespeed_finish_request' ) ) {
			litespeed_finish_request();
		}
		self::schedule( time() + self::FIRST_DELAY ); // If this process dies before that, cron sends.
		self::send();
	}

	/**
	 * Makes another process of this site send, through a REST route, and does not wait for it.
	 *
	 * Cron alone would be late: it starts nothing while one of its jobs runs, and FluentCRM's jobs run long. With cURL,
	 * WordPress would wait up to a second for a response that it ignores, so this goes over a plain socket.
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
			rest_url( 'memberhook/v1' . self::ROUTE ),
			array(
				'blocking'  => false,
				'timeout'   => 0.01,
				/** This filter is documented in wp-includes/class-wp-http-streams.php */
				'sslverify' => apply_filters( 'https_local_ssl_verify', false ), // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals.NonPrefixedHooknameFound -- WordPress's own filter.
				'body'      => array( 'token' => self::wake_token( time() ) ),
			)
		);
		remove_action( 'requests-requests.before_request', $by_socket, 10 );
		if ( microtime( true ) - $started > 0.5 ) {
			set_transient( self::SLOW, 1, HOUR_IN_SECONDS ); // This site cannot call itself: leave it to cron.
		}
	}

	/** Registers the route on which the site asks itself to send. */
	public static function register_route() {
		register_rest_route(
			'memberhook/v1',
			self::ROUTE,
			array(
				'methods'             => 'POST',
				'show_in_index'       => false,
				'permission_callback' => array( __CLASS__, 'is_own_request' ),
				'callback'            => array( __CLASS__, 'send_on_request' ),
				'args'                => array(
					'token' => array(
						'type'     => 'string',
						'required' => true,
					),
				),
			)
		);
	}

	/**
	 * Whether the request comes from this site itself: only it can know the token.
	 *
	 * @param WP_REST_Request $request The request.
	 * @return bool
	 */
	public static function is_own_request( WP_REST_Request $request ) {
		$token = $request['token'];
		foreach ( is_string( $token ) ? array( 0, MINUTE_IN_SECONDS ) : array() as $ago ) {
			if ( hash_equals( self::wake_token( time() - $ago ), $token ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Sends, in a request that nobody waits for.
	 *
	 * @return array
	 */
	public static function send_on_request() {
		ignore_user_abort( true );
		call_user_func( self::guarded( 'send' ) );
		return array( 'done' => true );
	}

	/**
	 * A token that only this site can compute, valid for a minute or two.
	 *
	 * @param int $time Unix time.
	 * @return string
	 */
	private static function wake_token( $time ) {
		return wp_hash( self::WAKE . intdiv( $time, MINUTE_IN_SECONDS ) );
	}

	/**
	 * Stores contacts and has them sent.
	 *
	 * @param int[] $ids Contacts.
	 */
	private static function store( $ids ) {
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
	 * Inserts many contacts in one query. A contact that is already there gets a new version.
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
		// One that waits for a retry keeps its turn; one that was given up starts again.
		$sql   = "INSERT INTO $table (contact_id, version, queued_at, due_at) VALUES " . implode( ', ', $rows ) . '
			ON DUPLICATE KEY UPDATE version = version + 1, due_at = IF(failed, VALUES(due_at), due_at),
			queued_at = IF(failed, VALUES(queued_at), queued_at), attempts = IF(failed, 0, attempts), failed = 0';
		$quiet = $wpdb->suppress_errors( true );
		$done  = $wpdb->query( $sql ); // phpcs:ignore WordPress.DB.PreparedSQL.NotPrepared -- each row is prepared.
		$wpdb->suppress_errors( $quiet );
		return false !== $done;
	}

	/** Sends what is due for as long as there is time, in one process at a time. */
	private static function send() {
		global $wpdb;
		$settings = self::settings();
		if ( ! $settings['enabled'] || ! $settings['url'] || ! self::is_fluentcrm_active() ) {
			return;
		}
		if ( self::paused_until() > time() ) {
			self::schedule( self::paused_until() );
			return;
		}
		self::make_table();
		$lock = self::lock_name();
		if ( '0' === $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 0)', $lock ) ) ) {
			self::schedule( time() + self::FIRST_DELAY ); // In case the other process dies.
			return;
		}
		try {
			$until = microtime( true ) + self::RUN;
			while ( self::send_batch( $settings ) && microtime( true ) < $until ) {
				continue;
			}
		} finally {
			$wpdb->query( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $lock ) );
			self::schedule_rest();
		}
	}

	/**
	 * Whether a process is sending now.
	 *
	 * @return bool
	 */
	private static function is_sending() {
		global $wpdb;
		return '0' === $wpdb->get_var( $wpdb->prepare( 'SELECT IS_FREE_LOCK(%s)', self::lock_name() ) );
	}

	/**
	 * Name of the lock that the sending process holds. Locks are server-wide, so it includes database and table.
	 *
	 * @return string
	 */
	private static function lock_name() {
		return 'memberhook_' . md5( DB_NAME . self::table() );
	}

	/**
	 * Sends the contacts that are due first, in one request.
	 *
	 * @param array $settings See settings().
	 * @return bool Whether there may be more to send now.
	 */
	private static function send_batch( $settings ) {
		global $wpdb;
		$rows = $wpdb->get_results(
			$wpdb->prepare(
				"SELECT contact_id, version FROM {$wpdb->prefix}memberhook_outbox WHERE failed = 0 AND due_at <= %d
				ORDER BY due_at, contact_id LIMIT %d",
				time(),
				self::BATCH
			)
		);
		if ( ! $rows ) {
			return false;
		}
		$versions = array_map( 'intval', wp_list_pluck( $rows, 'version', 'contact_id' ) );
		$contacts = self::load( array_keys( $versions ), $settings );
		$deleted  = array_diff_key( $versions, $contacts );
		$contacts = self::first_bytes( $contacts, self::BATCH_BYTES );
		$sent     = array_intersect_key( $versions, $contacts );
		if ( $contacts ) {
			$answer = self::post( '{"type":"contacts","contacts":[' . implode( ',', $contacts ) . ']}' );
			self::log( count( $contacts ), $answer, array_keys( $contacts ) );
			if ( ! $answer['ok'] ) {
				self::postpone( array_keys( $sent ), $answer );
				self::remove( $deleted );
				return false;
			}
			update_option( self::PAUSED, 0, false );
		}
		self::remove( $sent + $deleted );
		return true;
	}

	/**
	 * Reads contacts from FluentCRM, ready to be sent.
	 *
	 * @param int[] $ids      Contacts.
	 * @param array $settings See settings().
	 * @return array<int, string> JSON by id, without deleted contacts.
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
			if ( ! $contacts[ $id ] ) { // Memberhook loads the contact by its id.
				$contact         = array( 'id' => $id );
				$contacts[ $id ] = wp_json_encode( compact( 'action', 'contact' ) );
			}
		}
		return $contacts;
	}

	/**
	 * Tags or lists as Memberhook reads them.
	 *
	 * @param iterable $labels Models of FluentCRM.
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
	 * As many texts as fit, at least one.
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
		$signature = base64_encode( hash_hmac( 'sha256', "$id.$time.$body", $secret, true ) ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- as Standard Webhooks specifies.
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
		// Another program at that address may answer 200 to everything. What Memberhook has not stored must not be lost.
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
	 * @return string Empty if the key is malformed.
	 */
	public static function secret_bytes( $key ) {
		if ( 0 !== strpos( $key, 'whsec_' ) ) {
			return '';
		}
		$bytes = base64_decode( substr( $key, 6 ), true ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_decode -- as Standard Webhooks specifies.
		return is_string( $bytes ) && strlen( $bytes ) >= 24 && strlen( $bytes ) <= 64 ? $bytes : '';
	}

	/**
	 * Removes contacts from the table, except those that have changed since they were read.
	 *
	 * @param array<int, int> $versions Versions by id.
	 */
	private static function remove( $versions ) {
		global $wpdb;
		$table = self::table();
		$pairs = array();
		foreach ( $versions as $id => $version ) {
			$pairs[] = $wpdb->prepare( '(%d, %d)', $id, $version );
		}
		if ( $pairs ) {
			$wpdb->query( "DELETE FROM $table WHERE (contact_id, version) IN (" . implode( ', ', $pairs ) . ')' ); // phpcs:ignore WordPress.DB.PreparedSQL -- each pair is prepared.
		}
	}

	/**
	 * Schedules the next attempt for contacts that could not be sent, or gives them up after three days.
	 *
	 * @param int[] $ids    Contacts.
	 * @param array $answer The result of post().
	 */
	private static function postpone( $ids, $answer ) {
		global $wpdb;
		$now  = time();
		$wait = min( max( self::FIRST_DELAY, $answer['retry_after'] ), self::MAX_DELAY );
		$wpdb->query(
			$wpdb->prepare(
				sprintf(
					"UPDATE {$wpdb->prefix}memberhook_outbox
					SET attempts = attempts + 1, last_error = %%s, failed = IF(queued_at < %%d, 1, 0),
					due_at = %%d + GREATEST(%%d, LEAST(%%d, %%d * POW(2, LEAST(attempts - 1, 10)))) WHERE contact_id IN (%s)",
					implode( ',', array_fill( 0, count( $ids ), '%d' ) )
				),
				array_merge(
					array( self::shorten( $answer['said'] ), $now - self::GIVE_UP, $now, $wait, self::MAX_DELAY, self::FIRST_DELAY ),
					$ids
				)
			)
		);
		update_option( self::PAUSED, $now + $wait, false );
	}

	/** Schedules the next run if anything is left. */
	private static function schedule_rest() {
		global $wpdb;
		$due = $wpdb->get_var( "SELECT MIN(due_at) FROM {$wpdb->prefix}memberhook_outbox WHERE failed = 0" );
		if ( null === $due ) {
			wp_clear_scheduled_hook( self::SEND );
			return;
		}
		$next = max( (int) $due, self::paused_until(), time() );
		self::schedule( $next );
		if ( $next <= time() ) {
			self::wake();
		}
	}

	/**
	 * Schedules the next run, unless an earlier one is scheduled.
	 *
	 * @param int $time Unix time.
	 */
	private static function schedule( $time ) {
		$planned = wp_next_scheduled( self::SEND );
		if ( ! $planned || $planned > $time ) {
			wp_clear_scheduled_hook( self::SEND );
			wp_schedule_single_event( $time, self::SEND );
		}
		if ( ! wp_next_scheduled( self::SWEEP ) ) {
			wp_schedule_event( time() + HOUR_IN_SECONDS, 'hourly', self::SWEEP ); // In case an event is lost.
		}
	}

	/**
	 * Until when sending is paused because the last attempt failed.
	 *
	 * @return int Unix time.
	 */
	private static function paused_until() {
		return (int) get_option( self::PAUSED, 0 );
	}

	/** Sends everything that waits or was given up as if it were new. */
	public static function send_all_now() {
		global $wpdb;
		self::make_table();
		$now = time();
		$wpdb->query(
			$wpdb->prepare(
				"UPDATE {$wpdb->prefix}memberhook_outbox SET due_at = %d, queued_at = %d, attempts = 0, failed = 0",
				$now,
				$now
			)
		);
		update_option( self::PAUSED, 0, false );
		call_user_func( self::guarded( 'send' ) );
	}

	/**
	 * Counts the contacts in the table.
	 *
	 * @return array{waiting: int, failed: int}
	 */
	public static function counts() {
		global $wpdb;
		self::make_table();
		$found = $wpdb->get_row(
			"SELECT SUM(failed = 0) AS waiting, SUM(failed) AS failed FROM {$wpdb->prefix}memberhook_outbox"
		);
		return array(
			'waiting' => $found ? (int) $found->waiting : 0,
			'failed'  => $found ? (int) $found->failed : 0,
		);
	}

	/**
	 * Stores the last deliveries for the settings page.
	 *
	 * @param int   $count  Contacts.
	 * @param array $answer The result of post().
	 * @param int[] $ids    The contacts, in the order of the request.
	 */
	private static function log( $count, $answer, $ids ) {
		$said = $answer['said'];
		foreach ( array_slice( $answer['refused'], 0, 3 ) as $refused ) {
			$id  = $ids[ (int) ( $refused['index'] ?? -1 ) ] ?? 0;
			$why = $refused['error']['message'] ?? null;
			if ( $id && is_string( $why ) ) {
				/* translators: 1: id of a contact, 2: reason */
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
	 * The settings, complete and valid whatever is stored.
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
	 * Creates the table if it is missing: must-use plugins are never activated, nor are plugins of new network sites.
	 *
	 * @param bool $anyway Whether to check even if it was created before.
	 * @return bool
	 */
	private static function make_table( $anyway = false ) {
		global $wpdb;
		if ( ! $anyway && self::SCHEMA === (int) get_option( self::SCHEMA_OPTION, 0 ) ) {
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
		update_option( self::SCHEMA_OPTION, self::SCHEMA );
		return true;
	}

	/** Creates the table. */
	public static function activate() {
		self::make_table( true );
	}

	/** Schedules nothing more. What waits is kept. */
	public static function deactivate() {
		wp_clear_scheduled_hook( self::SEND );
		wp_clear_scheduled_hook( self::SWEEP );
	}

	/** Deletes everything that the outbox has stored on this site. */
	public static function uninstall() {
		global $wpdb;
		$wpdb->query( "DROP TABLE IF EXISTS {$wpdb->prefix}memberhook_outbox" );
		array_map( 'delete_option', array( self::SETTINGS, self::KEY, self::LOG, self::PAUSED, self::SCHEMA_OPTION ) );
		delete_transient( self::SLOW );
		self::deactivate(); // On deactivation, WordPress runs this on one site only.
	}

	/**
	 * Shortens a text to what its column holds.
	 *
	 * @param string $text Any text.
	 * @return string
	 */
	private static function shorten( $text ) {
		return mb_substr( wp_check_invalid_utf8( $text, true ), 0, 300 );
	}
}
