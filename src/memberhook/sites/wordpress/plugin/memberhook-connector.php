<?php
/**
 * Plugin Name: Memberhook Connector
 * Description: Lets Memberhook make and change members of this site, many at once, and passes FluentCRM's changes on to Memberhook.
 * Version: 0.1.0
 * Requires at least: 6.0
 * Requires PHP: 7.4
 * License: AGPL-3.0-or-later
 *
 * One file, so that it can be read before it is trusted. Parts: 1 rules (what no CRM may touch), 2 members (find, apply),
 * 3 REST routes, 4 passing FluentCRM's changes on, 5 the page in wp-admin.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

const MEMBERHOOK_VERSION = '0.1.0';

// ---------------------------------------------------------------------------------------------------------------------
// 1 Rules.

// ---------------------------------------------------------------------------------------------------------------------
// 2 Members.

// ---------------------------------------------------------------------------------------------------------------------
// 3 REST routes.

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
 * Every method that FluentCRM, a page or cron calls catches all errors: a host page must never see one of ours.
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
			add_action( $action, array( __CLASS__, 'note' ), 10, 3 );
		}
		foreach ( self::GONE as $action => $kind ) {
			add_action( $action, array( __CLASS__, 'note_gone' ), 1 ); // Before FluentCRM forgets who had it.
		}
		// A field that is changed for many contacts at once is told by no action, but it is saved.
		if ( did_action( 'fluentcrm_loaded' ) ) {
			self::listen_to_fields();
		} else {
			add_action( 'fluentcrm_loaded', array( __CLASS__, 'listen_to_fields' ) );
		}
		add_action( 'profile_update', array( __CLASS__, 'note_user' ), 20 ); // After FluentCRM.
		add_action( 'wp_loaded', array( __CLASS__, 'wake_up' ), 0 );
		add_action( self::SEND, array( __CLASS__, 'send' ) );
		add_action( self::SWEEP, array( __CLASS__, 'send' ) );
	}

	/** Listens to values of custom fields being saved. */
	public static function listen_to_fields() {
		try {
			$settings = self::settings();
			if ( $settings['enabled'] && is_callable( array( 'FluentCrm\App\Models\SubscriberMeta', 'saved' ) ) ) {
				\FluentCrm\App\Models\SubscriberMeta::saved(
					static function ( $value ) {
						try {
							if ( 'custom_field' === $value->object_type ) {
								self::remember( $value->subscriber_id );
							}
						} catch ( \Throwable $error ) {
							self::complain( $error );
						}
					}
				);
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	/**
	 * Notes the contacts among the arguments of an action.
	 *
	 * @param mixed ...$arguments Contacts, lists of contacts, and other things.
	 */
	public static function note( ...$arguments ) {
		try {
			foreach ( $arguments as $argument ) {
				$several = is_array( $argument ) || $argument instanceof \Traversable;
				foreach ( $several ? $argument : array( $argument ) as $one ) {
					if ( $one instanceof \FluentCrm\App\Models\Subscriber ) {
						self::remember( $one->id );
					}
				}
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	/**
	 * Notes all contacts that had a tag or a list which is gone now.
	 *
	 * @param int $id Its id.
	 */
	public static function note_gone( $id ) {
		global $wpdb;
		try {
			$settings = self::settings();
			$kind     = self::GONE[ current_action() ];
			if ( $settings['enabled'] ) {
				$found = $wpdb->get_col( $wpdb->prepare( "SELECT subscriber_id FROM {$wpdb->prefix}fc_subscriber_pivot WHERE object_type = %s AND object_id = %d", $kind, $id ) );
				array_map( array( __CLASS__, 'remember' ), $found );
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	/**
	 * Notes the contact of a user, where FluentCRM has it follow the user: that is told by no action either.
	 *
	 * @param int $id The user's.
	 */
	public static function note_user( $id ) {
		try {
			$settings = self::settings();
			$helper   = 'FluentCrm\App\Services\Helper';
			if ( ! $settings['enabled'] || ! is_callable( array( $helper, 'isUserSyncEnabled' ) ) || ! $helper::isUserSyncEnabled() ) {
				return;
			}
			$user = get_userdata( $id );
			if ( $user ) {
				self::note( \FluentCrm\App\Models\Subscriber::where( 'email', $user->user_email )->first() );
			}
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
	}

	/**
	 * Keeps an id until the end of the request.
	 *
	 * @param mixed $id The contact's.
	 */
	private static function remember( $id ) {
		$settings = self::settings();
		if ( (int) $id < 1 || ! $settings['enabled'] ) {
			return;
		}
		self::$changed[ get_current_blog_id() ][ (int) $id ] = true;
		if ( ! self::$waits ) {
			self::$waits = true;
			if ( did_action( 'shutdown' ) ) {
				register_shutdown_function( array( __CLASS__, 'end_of_request' ) );
			} else {
				add_action( 'shutdown', array( __CLASS__, 'end_of_request' ), 1000 );
			}
		}
	}

	/** Writes down what has changed, then sends it where nobody waits for it. */
	public static function end_of_request() {
		$changed       = self::$changed;
		self::$changed = array();
		self::$waits   = false; // What changes after this is prepared for anew.
		foreach ( $changed as $blog => $ids ) {
			$switched = is_multisite() && get_current_blog_id() !== $blog && switch_to_blog( $blog );
			try {
				if ( self::write( array_keys( $ids ) ) ) {
					self::send_soon();
				}
			} catch ( \Throwable $error ) {
				self::complain( $error );
			}
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
			register_shutdown_function( array( __CLASS__, 'send_after_answer' ) ); // Behind all others.
		} else {
			// Should it not wake, cron does it; not at once, so that they do not get into each other's way.
			self::plan( time() + ( get_transient( self::SLOW ) ? 0 : self::FIRST_DELAY ) );
			if ( ! self::is_sending() ) { // One that sends looks again when it has done.
				self::wake();
			}
		}
	}

	/** Ends the answer, then sends. */
	public static function send_after_answer() {
		if ( PHP_SESSION_ACTIVE === session_status() ) {
			session_write_close(); // Else the visitor's next page waits for us.
		}
		ignore_user_abort( true );
		if ( function_exists( 'fastcgi_finish_request' ) ) {
			fastcgi_finish_request();
		} elseif ( function_exists( 'litespeed_finish_request' ) ) {
			litespeed_finish_request();
		}
		try {
			self::plan( time() + self::FIRST_DELAY ); // Should this process die before it has sent, cron does it.
			self::send();
		} catch ( \Throwable $error ) {
			self::complain( $error );
		}
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
			$options['transport'] = class_exists( 'WpOrg\Requests\Transport\Fsockopen' ) ? 'WpOrg\Requests\Transport\Fsockopen' : 'Requests_Transport_fsockopen';
		};
		$started   = microtime( true );
		add_action( 'requests-requests.before_request', $by_socket, 10, 5 );
		wp_remote_post(
			site_url( 'index.php' ),
			array(
				'blocking'  => false,
				'timeout'   => 0.01,
				'sslverify' => apply_filters( 'https_local_ssl_verify', false ), // phpcs:ignore WordPress.NamingConventions -- WordPress's own.
				'body'      => array( self::WAKE => self::wake_token( time() ) ),
			)
		);
		remove_action( 'requests-requests.before_request', $by_socket, 10 );
		if ( microtime( true ) - $started > 0.5 ) {
			set_transient( self::SLOW, 1, HOUR_IN_SECONDS ); // This site cannot call itself: cron alone, then.
		}
	}

	/** Sends, where this request is there for nothing else. */
	public static function wake_up() {
		$sent = isset( $_POST[ self::WAKE ] ) ? $_POST[ self::WAKE ] : ''; // phpcs:ignore WordPress.Security -- compared, never used.
		if ( ! is_string( $sent ) || '' === $sent ) {
			return;
		}
		if ( hash_equals( self::wake_token( time() ), $sent ) || hash_equals( self::wake_token( time() - MINUTE_IN_SECONDS ), $sent ) ) {
			ignore_user_abort( true );
			self::send();
			exit;
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
	 * Writes contacts down; one that is there already counts one change more.
	 *
	 * @param int[] $ids Contacts.
	 * @return bool Whether it is in the database.
	 */
	private static function write( $ids ) {
		self::make_table();
		$done = true;
		foreach ( array_chunk( $ids, 1000 ) as $some ) {
			$done = ( self::insert( $some ) || ( self::make_table( true ) && self::insert( $some ) ) ) && $done;
		}
		return $done;
	}

	/**
	 * One query for many contacts.
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
		$rows = implode( ', ', $rows );
		// One that waits for its next try keeps its turn; one that was given up begins again.
		$again = $wpdb->prepare( 'due_at = IF(failed, %d, due_at), queued_at = IF(failed, %d, queued_at)', $now, $now );
		$quiet = $wpdb->suppress_errors( true );
		$done  = $wpdb->query( "INSERT INTO $table (contact_id, version, queued_at, due_at) VALUES $rows ON DUPLICATE KEY UPDATE version = version + 1, $again, attempts = IF(failed, 0, attempts), failed = 0" ); // phpcs:ignore WordPress.DB.PreparedSQL -- prepared above.
		$wpdb->suppress_errors( $quiet );
		return false !== $done;
	}

	/** Sends what is due: as long as there is time, and never two processes at once. Cron calls this, too. */
	public static function send() {
		global $wpdb;
		try {
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
		} catch ( \Throwable $error ) {
			self::complain( $error );
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
		$rows  = $wpdb->get_results( $wpdb->prepare( "SELECT contact_id, version FROM $table WHERE failed = 0 AND due_at <= %d ORDER BY due_at, contact_id LIMIT %d", time(), self::BATCH ) ); // phpcs:ignore WordPress.DB.PreparedSQL.InterpolatedNotPrepared -- our table.
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
			$json                    = wp_json_encode(
				array(
					'action'  => $adds ? 'add' : 'update',
					'contact' => $contact,
				)
			);
			// What cannot be written as JSON goes without its text: Memberhook loads the contact by its id anyway.
			$contacts[ $contact['id'] ] = $json ? $json : wp_json_encode(
				array(
					'action'  => $adds ? 'add' : 'update',
					'contact' => array( 'id' => $contact['id'] ),
				)
			);
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
		$id       = 'msg_' . wp_generate_uuid4();
		$time     = (string) time();
		$response = wp_remote_post(
			$settings['url'],
			array(
				'timeout'     => self::TIMEOUT,
				'redirection' => 0,
				'headers'     => array(
					'Content-Type'      => 'application/json',
					'Accept'            => 'application/json',
					'webhook-id'        => $id,
					'webhook-timestamp' => $time,
					'webhook-signature' => 'v1,' . base64_encode( hash_hmac( 'sha256', "$id.$time.$body", $secret, true ) ), // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions -- its form.
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
		$answer['status']      = (int) wp_remote_retrieve_response_code( $response );
		$answer['retry_after'] = (int) wp_remote_retrieve_header( $response, 'retry-after' );
		$answer['refused']     = isset( $data['refused'] ) && is_array( $data['refused'] ) ? $data['refused'] : array();
		// Another program at that address may say 200 to everything; what Memberhook did not store must not be lost.
		$answer['ok'] = $answer['status'] >= 200 && $answer['status'] < 300 && ( isset( $data['accepted'] ) || isset( $data['status'] ) );
		if ( isset( $data['error']['message'] ) && is_string( $data['error']['message'] ) ) {
			$answer['said'] = $data['error']['message'];
		} elseif ( isset( $data['message'] ) && is_string( $data['message'] ) ) {
			$answer['said'] = $data['message'];
		} elseif ( ! $answer['ok'] ) {
			/* translators: %d: HTTP status */
			$answer['said'] = sprintf( __( 'This is not how Memberhook answers (HTTP %d). Compare the address.', 'memberhook-connector' ), $answer['status'] );
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
		$bytes = base64_decode( substr( $key, 6 ), true ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions -- its form.
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
			$wpdb->query( "DELETE FROM $table WHERE (contact_id, version) IN (" . implode( ', ', $pairs ) . ')' ); // phpcs:ignore WordPress.DB.PreparedSQL -- prepared above.
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
		$set   = $wpdb->prepare(
			'attempts = attempts + 1, last_error = %s, failed = IF(queued_at < %d, 1, 0), due_at = %d + GREATEST(%d, LEAST(%d, %d * POW(2, LEAST(attempts - 1, 10))))',
			self::shorten( $answer['said'] ),
			$now - self::GIVE_UP,
			$now,
			$wait,
			self::MAX_DELAY,
			self::FIRST_DELAY
		);
		$wpdb->query( "UPDATE $table SET $set WHERE contact_id IN ($in)" ); // phpcs:ignore WordPress.DB.PreparedSQL -- prepared above.
		update_option( self::PAUSED, $now + $wait, false );
	}

	/** Plans the next run, should anything be left. */
	private static function plan_rest() {
		global $wpdb;
		$table = self::table();
		$due   = $wpdb->get_var( "SELECT MIN(due_at) FROM $table WHERE failed = 0" ); // phpcs:ignore WordPress.DB.PreparedSQL.InterpolatedNotPrepared -- our table.
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
		$wpdb->query( $wpdb->prepare( "UPDATE $table SET due_at = %d, queued_at = %d, attempts = 0, failed = 0", $now, $now ) ); // phpcs:ignore WordPress.DB.PreparedSQL.InterpolatedNotPrepared -- our table.
		update_option( self::PAUSED, 0, false );
		self::send();
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
		$found = $wpdb->get_row( "SELECT COUNT(*) AS everything, COALESCE(SUM(failed), 0) AS failed FROM $table" ); // phpcs:ignore WordPress.DB.PreparedSQL.InterpolatedNotPrepared -- our table.
		return array(
			'waiting' => $found ? (int) $found->everything - (int) $found->failed : 0,
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
			if ( isset( $refused['index'], $ids[ (int) $refused['index'] ], $refused['error']['message'] ) ) {
				/* translators: 1: id of a contact, 2: why */
				$said .= ' ' . sprintf( __( 'Contact %1$d was refused: %2$s', 'memberhook-connector' ), $ids[ (int) $refused['index'] ], (string) $refused['error']['message'] );
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
			'url'     => isset( $stored['url'] ) ? (string) $stored['url'] : '',
			'members' => isset( $stored['members'] ) && in_array( $stored['members'], array( 'tags', 'all' ), true ) ? $stored['members'] : 'none',
			'tags'    => isset( $stored['tags'] ) ? array_map( 'intval', (array) $stored['tags'] ) : array(),
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
		return true;
	}

	/** Makes the table, and has it removed with the plugin. */
	public static function activate() {
		self::make_table( true );
		register_uninstall_hook( __FILE__, array( __CLASS__, 'uninstall' ) );
	}

	/** Plans nothing more. What waits is kept. */
	public static function deactivate() {
		wp_clear_scheduled_hook( self::SEND );
		wp_clear_scheduled_hook( self::SWEEP );
	}

	/** Leaves nothing behind. */
	public static function uninstall() {
		global $wpdb;
		$sites = is_multisite() ? get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) : array( get_current_blog_id() ); // phpcs:ignore WordPress.Arrays
		foreach ( $sites as $site ) {
			if ( is_multisite() ) {
				switch_to_blog( $site );
			}
			$table = self::table();
			$wpdb->query( "DROP TABLE IF EXISTS $table" ); // phpcs:ignore WordPress.DB -- ours.
			array_map( 'delete_option', array( self::SETTINGS, self::KEY, self::LOG, self::PAUSED, self::MADE ) );
			delete_transient( self::SLOW );
			if ( is_multisite() ) {
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

	/**
	 * Tells PHP's log of an error, and nobody else.
	 *
	 * @param \Throwable $error Any.
	 */
	private static function complain( $error ) {
		error_log( 'Memberhook Connector: ' . get_class( $error ) . ': ' . $error->getMessage() . ' at ' . basename( $error->getFile() ) . ':' . $error->getLine() ); // phpcs:ignore WordPress.PHP.DevelopmentFunctions -- its place.
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
		add_options_page( __( 'Memberhook', 'memberhook-connector' ), __( 'Memberhook', 'memberhook-connector' ), 'manage_options', self::SLUG, array( __CLASS__, 'show' ) );
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
		$old  = Memberhook_Outbox::settings();
		$url  = isset( $sent['url'] ) && is_string( $sent['url'] ) ? esc_url_raw( trim( $sent['url'] ), array( 'https', 'http' ) ) : '';
		if ( '' !== $url && ! preg_match( '~/hooks/[^/?#]+/events/?$~', $url ) ) {
			self::error( 'url', __( 'The address was not saved: it ends in /hooks/NAME/events. Copy it from where the signing key was shown.', 'memberhook-connector' ) );
			$url = $old['url'];
		}
		return array(
			'enabled' => ! empty( $sent['enabled'] ),
			'url'     => $url,
			'members' => isset( $sent['members'] ) && in_array( $sent['members'], array( 'tags', 'all' ), true ) ? $sent['members'] : 'none',
			'tags'    => isset( $sent['tags'] ) ? array_values( array_unique( array_filter( array_map( 'absint', (array) $sent['tags'] ) ) ) ) : array(),
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
			self::error( 'key', __( 'The signing key was not saved: it begins with whsec_ and is copied as a whole.', 'memberhook-connector' ) );
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
		self::back( $left ? sprintf( _n( '%d contact still waits.', '%d contacts still wait.', $left, 'memberhook-connector' ), $left ) : __( 'Everything is sent.', 'memberhook-connector' ), ! $left );
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
		if ( ! current_user_can( 'manage_options' ) ) {
			return;
		}
		echo '<div class="wrap"><h1>' . esc_html__( 'Memberhook', 'memberhook-connector' ) . '</h1>';
		if ( ! Memberhook_Outbox::is_fluentcrm_active() ) {
			echo '<p>' . esc_html__( 'FluentCRM is not active on this site, so there is nothing to set here. Memberhook makes and changes members through this plugin without any setting.', 'memberhook-connector' ) . '</p></div>';
			return;
		}
		echo '<p>' . esc_html__( 'New and changed contacts of this site\'s FluentCRM are passed on to Memberhook as they change: fields, tags, lists and status. No automation is needed for that.', 'memberhook-connector' ) . '</p>';
		self::show_notices();
		self::show_form();
		self::show_buttons();
		self::show_deliveries();
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
			self::notice( sprintf( __( 'Memberhook does not accept what this site sends, so changes wait here. It says: %s', 'memberhook-connector' ), $log[0]['said'] ), 'error' );
		}
		$url = Memberhook_Outbox::settings()['url'];
		if ( 0 === strpos( $url, 'http://' ) ) {
			self::notice( __( 'The address is not https: contacts\' data can be read on the way. That is in order only on the same machine or network.', 'memberhook-connector' ), 'warning' );
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
		$name     = Memberhook_Outbox::SETTINGS;
		$has_key  = '' !== (string) get_option( Memberhook_Outbox::KEY, '' );
		echo '<form method="post" action="options.php">';
		settings_fields( self::GROUP );
		echo '<table class="form-table" role="presentation">';
		self::row(
			'memberhook-enabled',
			__( 'Pass changes on', 'memberhook-connector' ),
			sprintf( '<input type="checkbox" id="memberhook-enabled" name="%s[enabled]" value="1"%s>', esc_attr( $name ), checked( $settings['enabled'], true, false ) )
		);
		self::row(
			'memberhook-url',
			__( 'Address', 'memberhook-connector' ),
			sprintf( '<input type="url" class="regular-text code" id="memberhook-url" name="%s[url]" value="%s" placeholder="https://members.example/hooks/NAME/events">', esc_attr( $name ), esc_attr( $settings['url'] ) )
		);
		self::row(
			'memberhook-key',
			__( 'Signing key', 'memberhook-connector' ),
			sprintf(
				'<input type="password" class="regular-text code" id="memberhook-key" name="%s" value="" autocomplete="off" placeholder="%s"><p class="description">%s</p>',
				esc_attr( Memberhook_Outbox::KEY ),
				esc_attr( $has_key ? __( 'stored', 'memberhook-connector' ) : 'whsec_…' ),
				esc_html( $has_key ? __( 'Stored. Leave this empty to keep it.', 'memberhook-connector' ) : __( 'Memberhook shows it once: memberhook key add NAME --signing', 'memberhook-connector' ) )
			)
		);
		$choices = array(
			'none' => __( 'Nobody new: only those who are members already are kept in step', 'memberhook-connector' ),
			'tags' => __( 'Contacts with one of the tags below', 'memberhook-connector' ),
			'all'  => __( 'Every contact', 'memberhook-connector' ),
		);
		$radios  = '';
		foreach ( $choices as $value => $text ) {
			$radios .= sprintf( '<label><input type="radio" name="%s[members]" value="%s"%s> %s</label><br>', esc_attr( $name ), esc_attr( $value ), checked( $settings['members'], $value, false ), esc_html( $text ) );
		}
		self::row( '', __( 'Who becomes a member', 'memberhook-connector' ), "<fieldset>$radios</fieldset>" );
		$boxes = '';
		foreach ( self::tags() as $id => $title ) {
			$boxes .= sprintf( '<label><input type="checkbox" name="%s[tags][]" value="%d"%s> %s</label><br>', esc_attr( $name ), $id, checked( in_array( $id, $settings['tags'], true ), true, false ), esc_html( $title ) );
		}
		self::row( '', __( 'Tags', 'memberhook-connector' ), $boxes ? '<fieldset style="max-height:16em;overflow:auto">' . $boxes . '</fieldset>' : esc_html__( 'FluentCRM has no tags yet.', 'memberhook-connector' ) );
		echo '</table>';
		submit_button();
		echo '</form>';
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
		echo '<tr><th scope="row">' . $label . '</th><td>' . $html . '</td></tr>'; // phpcs:ignore WordPress.Security.EscapeOutput -- escaped above.
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
		$counts = Memberhook_Outbox::counts();
		echo '<h2>' . esc_html__( 'Deliveries', 'memberhook-connector' ) . '</h2><p>';
		/* translators: %d: number of contacts */
		echo esc_html( sprintf( _n( '%d contact is waiting to be sent.', '%d contacts are waiting to be sent.', $counts['waiting'], 'memberhook-connector' ), $counts['waiting'] ) );
		if ( $counts['failed'] ) {
			/* translators: %d: number of contacts */
			echo ' <strong>' . esc_html( sprintf( _n( '%d contact was tried for three days and given up.', '%d contacts were tried for three days and given up.', $counts['failed'], 'memberhook-connector' ), $counts['failed'] ) ) . '</strong>';
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
		printf( '<form method="post" action="%s" style="display:inline-block;margin-right:1em">', esc_url( admin_url( 'admin-post.php' ) ) );
		printf( '<input type="hidden" name="action" value="%s">', esc_attr( $action ) );
		wp_nonce_field( $action );
		submit_button( $label, 'secondary', 'submit', false );
		echo '</form>';
	}

	/** The last deliveries. */
	private static function show_deliveries() {
		echo '<table class="widefat striped" style="margin-top:1em"><thead><tr><th>' . esc_html__( 'Time', 'memberhook-connector' ) . '</th><th>' . esc_html__( 'Contacts', 'memberhook-connector' ) . '</th><th>' . esc_html__( 'Answer', 'memberhook-connector' ) . '</th></tr></thead><tbody>';
		$log = Memberhook_Outbox::last_deliveries();
		foreach ( $log as $one ) {
			$answer = trim( ( $one['ok'] ? __( 'Stored.', 'memberhook-connector' ) : __( 'Not sent; it is tried again.', 'memberhook-connector' ) ) . ' ' . $one['said'] );
			printf( '<tr><td>%s</td><td>%d</td><td>%s</td></tr>', esc_html( wp_date( 'Y-m-d H:i:s', $one['time'] ) ), (int) $one['count'], esc_html( $answer ) );
		}
		if ( ! $log ) {
			echo '<tr><td colspan="3">' . esc_html__( 'Nothing has been sent yet.', 'memberhook-connector' ) . '</td></tr>';
		}
		echo '</tbody></table>';
	}
}
