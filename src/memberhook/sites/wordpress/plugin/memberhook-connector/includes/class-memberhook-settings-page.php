<?php
/**
 * The page in wp-admin.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

add_action( 'admin_menu', array( 'Memberhook_Settings_Page', 'add' ) );
add_action( 'admin_init', array( 'Memberhook_Settings_Page', 'register' ) );
add_action( 'admin_post_memberhook_test', array( 'Memberhook_Settings_Page', 'test' ) );
add_action( 'admin_post_memberhook_send_all', array( 'Memberhook_Settings_Page', 'send_all' ) );
add_filter( 'plugin_action_links_' . plugin_basename( MEMBERHOOK_FILE ), array( 'Memberhook_Settings_Page', 'add_link' ) );

/**
 * Settings > Memberhook: the user for Memberhook, where changes are sent, who becomes a member, and the last deliveries.
 */
final class Memberhook_Settings_Page {

	const SLUG    = 'memberhook';
	const GROUP   = 'memberhook_outbox';
	const CONNECT = 'memberhook_connect';

	/**
	 * What the button "Create user and password" has made, or why it has not: an array or a WP_Error.
	 *
	 * It is shown in the same response and stored nowhere, because it holds a password.
	 *
	 * @var array|WP_Error|null
	 */
	private static $connection = null;

	/** Adds the page to the menu. */
	public static function add() {
		$page = add_options_page( 'Memberhook', 'Memberhook', 'manage_options', self::SLUG, array( __CLASS__, 'show' ) );
		add_action( "load-$page", array( __CLASS__, 'connect' ) );
	}

	/**
	 * Adds a link to the page in the list of plugins.
	 *
	 * @param string[] $links HTML.
	 * @return string[]
	 */
	public static function add_link( $links ) {
		$text = __( 'Settings', 'memberhook-connector' );
		array_unshift( $links, sprintf( '<a href="%s">%s</a>', esc_url( self::url() ), esc_html( $text ) ) );
		return $links;
	}

	/**
	 * Address of the page.
	 *
	 * @return string
	 */
	private static function url() {
		return admin_url( 'options-general.php?page=' . self::SLUG );
	}

	/** Registers the settings and how they are sanitized. The Settings API checks nonce and capability. */
	public static function register() {
		register_setting(
			self::GROUP,
			Memberhook_Outbox::SETTINGS,
			array( 'sanitize_callback' => array( __CLASS__, 'sanitize_settings' ) )
		);
		register_setting(
			self::GROUP,
			Memberhook_Outbox::KEY,
			array( 'sanitize_callback' => array( __CLASS__, 'sanitize_key' ) )
		);
	}

	/**
	 * Sanitizes the settings.
	 *
	 * @param mixed $sent From the form.
	 * @return array
	 */
	public static function sanitize_settings( $sent ) {
		$sent = is_array( $sent ) ? $sent : array();
		$url  = isset( $sent['url'] ) && is_string( $sent['url'] ) ? trim( $sent['url'] ) : '';
		$url  = esc_url_raw( $url, array( 'https', 'http' ) );
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
		$tags = isset( $sent['tags'] ) ? array_map( 'absint', (array) $sent['tags'] ) : array();
		return array(
			'enabled' => ! empty( $sent['enabled'] ),
			'url'     => $url,
			'members' => in_array( $sent['members'] ?? '', array( 'tags', 'all' ), true ) ? $sent['members'] : 'none',
			'tags'    => array_values( array_unique( array_filter( $tags ) ) ),
		);
	}

	/**
	 * Sanitizes the signing key. An empty field keeps the stored one.
	 *
	 * @param mixed $sent From the form.
	 * @return string
	 */
	public static function sanitize_key( $sent ) {
		$stored = (string) get_option( Memberhook_Outbox::KEY, '' );
		$sent   = is_string( $sent ) ? trim( $sent ) : '';
		if ( '' === $sent ) {
			return $stored;
		}
		if ( '' === Memberhook_Outbox::secret_bytes( $sent ) ) {
			$text = __( 'The signing key was not saved: it begins with whsec_ and is copied as a whole.', 'memberhook-connector' );
			self::error( 'key', $text );
			return $stored;
		}
		return $sent;
	}

	/**
	 * Reports a setting that was not saved, also if settings are saved without the page.
	 *
	 * @param string $setting Name of the field.
	 * @param string $message Sentence.
	 */
	private static function error( $setting, $message ) {
		if ( function_exists( 'add_settings_error' ) ) {
			add_settings_error( self::GROUP, $setting, $message );
		}
	}

	/** Creates the user and an application password if the button was pressed; runs before the page is shown. */
	public static function connect() {
		if ( ! isset( $_SERVER['REQUEST_METHOD'] ) || 'POST' !== $_SERVER['REQUEST_METHOD'] ) {
			return;
		}
		self::check( self::CONNECT );
		$obstacle = Memberhook_Account::obstacle();
		if ( '' !== $obstacle ) {
			self::$connection = new WP_Error( 'memberhook_obstacle', $obstacle );
			return;
		}
		self::$connection = Memberhook_Account::connect();
	}

	/** Sends a test and shows the answer on the page. */
	public static function test() {
		self::check( 'memberhook_test' );
		$answer = Memberhook_Outbox::post( '{"type":"test"}' );
		if ( $answer['ok'] ) {
			/* translators: %s: the answer of Memberhook */
			$text = sprintf( __( 'It works. Memberhook says: %s', 'memberhook-connector' ), $answer['said'] );
		} else {
			/* translators: %s: what went wrong */
			$text = sprintf( __( 'It does not work: %s', 'memberhook-connector' ), $answer['said'] );
		}
		self::redirect( $text, $answer['ok'] );
	}

	/** Sends what waits and what was given up. */
	public static function send_all() {
		self::check( 'memberhook_send_all' );
		Memberhook_Outbox::send_all_now();
		$left = array_sum( Memberhook_Outbox::counts() );
		if ( $left ) {
			/* translators: %d: number of contacts */
			$text = _n( '%d contact still waits.', '%d contacts still wait.', $left, 'memberhook-connector' );
			self::redirect( sprintf( $text, $left ), false );
		}
		self::redirect( __( 'Everything is sent.', 'memberhook-connector' ), true );
	}

	/**
	 * Ends the request unless the user is allowed to do this and intended to.
	 *
	 * @param string $action Action of the nonce.
	 */
	private static function check( $action ) {
		if ( ! current_user_can( 'manage_options' ) ) {
			wp_die( esc_html__( 'You are not allowed to do this.', 'memberhook-connector' ), 403 );
		}
		check_admin_referer( $action );
	}

	/**
	 * Redirects to the page, which shows the text once.
	 *
	 * @param string $text    Sentence.
	 * @param bool   $success Whether it is good news.
	 */
	private static function redirect( $text, $success ) {
		set_transient( 'memberhook_said_' . get_current_user_id(), array( $text, $success ), MINUTE_IN_SECONDS );
		wp_safe_redirect( self::url() );
		exit;
	}

	/** Prints the page. */
	public static function show() {
		echo '<div class="wrap"><h1>Memberhook</h1>';
		self::show_connection();
		self::show_account();
		echo '<h2>' . esc_html__( 'Send changes of FluentCRM', 'memberhook-connector' ) . '</h2><p>';
		if ( Memberhook_Outbox::is_fluentcrm_active() ) {
			esc_html_e( 'New and changed contacts of this site\'s FluentCRM are sent to Memberhook at once.', 'memberhook-connector' );
			echo ' ';
			esc_html_e( 'That includes fields, tags, lists and status. No automation is needed for it.', 'memberhook-connector' );
			echo '</p>';
			self::show_notices();
			self::show_form();
			self::show_buttons();
			self::show_deliveries();
		} else {
			esc_html_e( 'FluentCRM is not active on this site, so there is nothing to set here.', 'memberhook-connector' );
			echo '</p>';
		}
		echo '</div>';
	}

	/** Prints the application password that was just created, or why there is none. */
	private static function show_connection() {
		if ( is_wp_error( self::$connection ) ) {
			/* translators: %s: what went wrong */
			$text = __( 'No user and no password were created: %s', 'memberhook-connector' );
			self::notice( sprintf( $text, self::$connection->get_error_message() ), 'error' );
		}
		if ( ! is_array( self::$connection ) ) {
			return;
		}
		echo '<div class="notice notice-success"><p><strong>';
		esc_html_e( 'Copy the password now. It is not shown again.', 'memberhook-connector' );
		echo '</strong></p><table class="form-table" role="presentation">';
		printf(
			'<tr><th scope="row">%s</th><td><code>%s</code></td></tr>',
			esc_html__( 'Username', 'memberhook-connector' ),
			esc_html( self::$connection['username'] )
		);
		printf(
			'<tr><th scope="row">%s</th><td><code id="memberhook-password">%s</code></td></tr></table><p>',
			esc_html__( 'Application password', 'memberhook-connector' ),
			esc_html( self::$connection['password'] )
		);
		esc_html_e( 'Run this where Memberhook is installed, and paste the password when it waits for it:', 'memberhook-connector' );
		printf( '</p><p><code id="memberhook-command">%s</code></p>', esc_html( self::command( self::$connection['username'] ) ) );
		if ( self::$connection['revoked'] ) {
			echo '<p>';
			esc_html_e( 'The earlier password called Memberhook was revoked.', 'memberhook-connector' );
			echo ' ';
			esc_html_e( 'Until the command has run, Memberhook cannot log in.', 'memberhook-connector' );
			echo ' ';
			esc_html_e( 'If the site has another name or options in Memberhook, give the same ones again.', 'memberhook-connector' );
			echo '</p>';
		}
		echo '</div>';
	}

	/**
	 * The command that adds this site to Memberhook.
	 *
	 * @param string $username The user to log in as.
	 * @return string
	 */
	private static function command( $username ) {
		$host = preg_replace( '/^www\./', '', strtolower( (string) wp_parse_url( home_url(), PHP_URL_HOST ) ) );
		$name = trim( preg_replace( '/[^a-z0-9-]+/', '-', explode( '.', $host )[0] ), '-' );
		$name = preg_match( '/[a-z]/', $name ) ? substr( $name, 0, 30 ) : 'site';
		$kind = 'wordpress'; // phpcs:ignore WordPress.WP.CapitalPDangit.Misspelled -- an argument of the command.
		return "memberhook site add $kind --name $name --url " . home_url() . " --username $username --password-stdin";
	}

	/** Prints whether there is a user for Memberhook, and the button that creates one. */
	private static function show_account() {
		$user = Memberhook_Account::find();
		echo '<h2>' . esc_html__( 'User for Memberhook', 'memberhook-connector' ) . '</h2><p>';
		if ( $user ) {
			/* translators: %s: username */
			$text = __( 'Memberhook logs in as the user %s.', 'memberhook-connector' );
			echo esc_html( sprintf( $text, $user->user_login ) ) . ' ';
		}
		esc_html_e( 'Memberhook needs a user of its own, with an application password.', 'memberhook-connector' );
		echo ' ';
		esc_html_e( 'Its role lets it manage members through this plugin and nothing else.', 'memberhook-connector' );
		echo ' ';
		esc_html_e( 'In WordPress itself it can manage nobody, so a stolen password makes no administrator.', 'memberhook-connector' );
		echo '</p>';
		$obstacle = Memberhook_Account::obstacle();
		if ( '' !== $obstacle ) {
			echo '<p><em>' . esc_html( $obstacle ) . '</em></p>';
			return;
		}
		if ( $user ) {
			echo '<p>';
			esc_html_e( 'A new password replaces the present one, which stops working at once.', 'memberhook-connector' );
			echo '</p>';
		}
		printf( '<form method="post" action="%s">', esc_url( self::url() ) );
		wp_nonce_field( self::CONNECT );
		submit_button(
			$user ? __( 'Create new password', 'memberhook-connector' ) : __( 'Create user and password', 'memberhook-connector' ),
			$user || is_array( self::$connection ) ? 'secondary' : 'primary',
			self::CONNECT,
			false
		);
		echo '</form>';
	}

	/** Prints the result of a button, and what is wrong with the settings. */
	private static function show_notices() {
		$name = 'memberhook_said_' . get_current_user_id();
		$said = get_transient( $name );
		if ( is_array( $said ) ) {
			delete_transient( $name );
			self::notice( (string) $said[0], $said[1] ? 'success' : 'error' );
		}
		$log = Memberhook_Outbox::last_deliveries();
		if ( $log && in_array( $log[0]['status'], array( 401, 403 ), true ) ) {
			/* translators: %s: the answer of Memberhook */
			$text = __( 'Memberhook does not accept what this site sends, so changes wait here. It says: %s', 'memberhook-connector' );
			self::notice( sprintf( $text, $log[0]['said'] ), 'error' );
		}
		$settings = Memberhook_Outbox::settings();
		$by_tags  = $settings['enabled'] && 'tags' === $settings['members'];
		if ( ! $settings['enabled'] && '' !== $settings['url'] ) {
			self::notice( __( 'Nothing is sent: "Send changes" is not ticked.', 'memberhook-connector' ), 'warning' );
		} elseif ( $by_tags && ! array_intersect( $settings['tags'], array_keys( self::tags() ) ) ) {
			self::notice( __( 'Nobody new becomes a member: none of the tags is ticked.', 'memberhook-connector' ), 'warning' );
		}
		if ( 0 === strpos( $settings['url'], 'http://' ) ) {
			$text = __( 'The address is not https, so others can read what is sent: use https.', 'memberhook-connector' );
			self::notice( $text, 'warning' );
		}
	}

	/**
	 * Prints one notice.
	 *
	 * @param string $text Sentence.
	 * @param string $type success, warning or error.
	 */
	private static function notice( $text, $type ) {
		printf( '<div class="notice notice-%s"><p>%s</p></div>', esc_attr( $type ), esc_html( $text ) );
	}

	/** Prints the settings. The key is never printed. */
	private static function show_form() {
		add_option( Memberhook_Outbox::KEY, '', '', false ); // Otherwise saving it would autoload it.
		$settings = Memberhook_Outbox::settings();
		$name     = Memberhook_Outbox::SETTINGS;
		echo '<form method="post" action="options.php">';
		settings_fields( self::GROUP );
		echo '<table class="form-table" role="presentation">';
		self::open_row( __( 'Send changes', 'memberhook-connector' ), 'memberhook-enabled' );
		printf(
			'<input type="checkbox" id="memberhook-enabled" name="%s" value="1"%s>',
			esc_attr( "{$name}[enabled]" ),
			checked( $settings['enabled'], true, false )
		);
		self::close_row();
		self::open_row( __( 'Address', 'memberhook-connector' ), 'memberhook-url' );
		printf(
			'<input type="url" class="regular-text code" id="memberhook-url" name="%s" value="%s" placeholder="%s">',
			esc_attr( "{$name}[url]" ),
			esc_attr( $settings['url'] ),
			'https://members.example/hooks/NAME/events'
		);
		self::close_row();
		self::open_row( __( 'Signing key', 'memberhook-connector' ), 'memberhook-key' );
		printf(
			'<input type="password" class="regular-text code" id="memberhook-key" name="%s" autocomplete="off" placeholder="%s">',
			esc_attr( Memberhook_Outbox::KEY ),
			'whsec_…'
		);
		echo '<p class="description">';
		if ( '' !== (string) get_option( Memberhook_Outbox::KEY, '' ) ) {
			esc_html_e( 'Stored. Leave this empty to keep it.', 'memberhook-connector' );
		} else {
			esc_html_e( 'Memberhook shows it once: memberhook key add NAME --signing', 'memberhook-connector' );
		}
		echo '</p>';
		self::close_row();
		$choices = array(
			'none' => __( 'Nobody new: only existing members are kept up to date', 'memberhook-connector' ),
			'tags' => __( 'Contacts with one of the tags below', 'memberhook-connector' ),
			'all'  => __( 'Every contact', 'memberhook-connector' ),
		);
		self::open_row( __( 'Who becomes a member', 'memberhook-connector' ) );
		echo '<fieldset>';
		foreach ( $choices as $value => $text ) {
			self::choice( 'radio', "{$name}[members]", $value, $settings['members'] === $value, $text );
		}
		echo '</fieldset>';
		self::close_row();
		self::open_row( __( 'Tags', 'memberhook-connector' ) );
		echo '<fieldset style="max-height:16em;overflow:auto">';
		$tags = self::tags();
		foreach ( $tags as $id => $title ) {
			self::choice( 'checkbox', "{$name}[tags][]", $id, in_array( $id, $settings['tags'], true ), $title );
		}
		if ( ! $tags ) {
			esc_html_e( 'FluentCRM has no tags yet.', 'memberhook-connector' );
		}
		echo '</fieldset>';
		self::close_row();
		echo '</table>';
		submit_button();
		echo '</form>';
	}

	/**
	 * Prints the beginning of a row of the form.
	 *
	 * @param string $label Plain text.
	 * @param string $id    Id of the input that the label belongs to, if there is one.
	 */
	private static function open_row( $label, $id = '' ) {
		if ( $id ) {
			printf( '<tr><th scope="row"><label for="%s">%s</label></th><td>', esc_attr( $id ), esc_html( $label ) );
		} else {
			printf( '<tr><th scope="row">%s</th><td>', esc_html( $label ) );
		}
	}

	/** Prints the end of a row of the form. */
	private static function close_row() {
		echo '</td></tr>';
	}

	/**
	 * Prints one of several choices.
	 *
	 * @param string     $type       Of the input: radio or checkbox.
	 * @param string     $name       Of the input.
	 * @param string|int $value      Of the input.
	 * @param bool       $is_checked Whether it is chosen.
	 * @param string     $text       Plain text.
	 */
	private static function choice( $type, $name, $value, $is_checked, $text ) {
		printf(
			'<label><input type="%s" name="%s" value="%s"%s> %s</label><br>',
			esc_attr( $type ),
			esc_attr( $name ),
			esc_attr( $value ),
			checked( $is_checked, true, false ),
			esc_html( $text )
		);
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

	/** Prints how many contacts wait, and the buttons. */
	private static function show_buttons() {
		$counts  = Memberhook_Outbox::counts();
		$waiting = $counts['waiting'];
		$failed  = $counts['failed'];
		echo '<h2>' . esc_html__( 'Deliveries', 'memberhook-connector' ) . '</h2><p>';
		/* translators: %d: number of contacts */
		$text = _n( '%d contact is waiting to be sent.', '%d contacts are waiting to be sent.', $waiting, 'memberhook-connector' );
		echo esc_html( sprintf( $text, $waiting ) );
		if ( $failed ) {
			/* translators: %d: number of contacts */
			$text = _n(
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
	 * Prints a button with a form of its own.
	 *
	 * @param string $action Its action, also that of its nonce.
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

	/** Prints the last deliveries. */
	private static function show_deliveries() {
		printf(
			'<table class="widefat striped" style="margin-top:1em"><thead><tr><th>%s</th><th>%s</th><th>%s</th></tr></thead><tbody>',
			esc_html__( 'Time', 'memberhook-connector' ),
			esc_html__( 'Contacts', 'memberhook-connector' ),
			esc_html__( 'Answer', 'memberhook-connector' )
		);
		$log = Memberhook_Outbox::last_deliveries();
		foreach ( $log as $delivery ) {
			$time   = wp_date( 'Y-m-d H:i:s', $delivery['time'] );
			$retry  = __( 'Not sent; it will be tried again.', 'memberhook-connector' );
			$result = $delivery['ok'] ? __( 'Stored.', 'memberhook-connector' ) : $retry;
			$answer = trim( $result . ' ' . $delivery['said'] );
			printf( '<tr><td>%s</td><td>%d</td><td>%s</td></tr>', esc_html( $time ), (int) $delivery['count'], esc_html( $answer ) );
		}
		if ( ! $log ) {
			echo '<tr><td colspan="3">' . esc_html__( 'Nothing has been sent yet.', 'memberhook-connector' ) . '</td></tr>';
		}
		echo '</tbody></table>';
	}
}
