<?php
/**
 * What the connector decides by itself.
 */

use PHPUnit\Framework\TestCase;

/**
 * Capabilities, keys, tags, changes: decisions without a database.
 */
class RulesTest extends TestCase {
	protected function tearDown(): void {
		$GLOBALS['filters'] = array();
	}

	/**
	 * @dataProvider privileged
	 */
	public function test_privileged_capabilities( $capability ) {
		$this->assertTrue( memberhook_is_privileged_capability( $capability ) );
	}

	public static function privileged() {
		$names = 'administrator editor manage_options manage_woocommerce manage_categories manage_network_users edit_users '
			. 'create_users delete_users list_users promote_users remove_users add_users install_plugins activate_plugins '
			. 'edit_plugins delete_plugins update_plugins upload_plugins switch_themes edit_themes edit_theme_options '
			. 'customize unfiltered_html unfiltered_upload edit_files import export edit_others_posts delete_others_pages '
			. 'edit_others_shop_orders edit_private_posts delete_private_pages moderate_comments edit_dashboard update_core '
			. 'level_3 level_7 level_10 create_sites delete_sites setup_network MANAGE_OPTIONS '
			. 'memberhook_manage_members memberhook_connector';
		return array_map( fn( $name ) => array( $name ), explode( ' ', $names ) );
	}

	/**
	 * @dataProvider harmless
	 */
	public function test_harmless_capabilities( $capability ) {
		$this->assertFalse( memberhook_is_privileged_capability( $capability ) );
	}

	public static function harmless() {
		$names = 'read subscriber customer level_0 level_1 level_2 edit_posts publish_posts delete_posts edit_published_posts '
			. 'delete_published_posts upload_files read_private_posts read_private_pages spectate participate view_course_7';
		return array_map( fn( $name ) => array( $name ), explode( ' ', $names ) );
	}

	public function test_only_what_is_granted_counts() {
		$this->assertFalse( memberhook_has_privileges( array( 'manage_options' => false, 'read' => true ) ) );
		$this->assertTrue( memberhook_has_privileges( array( 'read' => true, 'manage_options' => true ) ) );
	}

	public function test_the_owner_may_judge_capabilities_of_other_plugins() {
		add_filter( 'memberhook_is_privileged_capability', fn( $is, $capability ) => $is || 'run_the_shop' === $capability );
		$this->assertTrue( memberhook_is_privileged_capability( 'run_the_shop' ) );
	}

	/**
	 * @dataProvider closed
	 */
	public function test_closed_keys( $key ) {
		$this->assertTrue( memberhook_is_closed_key( $key ) );
	}

	public static function closed() {
		$keys = array( '', '!', 'ID', 'user_login', 'user_pass', 'role', 'wp_capabilities', 'WP_Capabilities', 'xyz_2_capabilities' );
		array_push( $keys, 'wp_user_level', 'session_tokens', '_application_passwords', 'wp_çapabilities', 'wp_ｃapabilities', "wp_capab\u{ad}ilities", 'größe', 'session_tokens!', 'spam' );
		array_push( $keys, 'memberhook_tags_shop', 'wp_2_memberhook_tags_shop', 'primary_blog', "wp_capabilities\0", ' wp_user_level ', 'wpcapabilities', 'bloguser_level', 'Locale', 'locale ' );
		return array_map( fn( $key ) => array( $key ), $keys );
	}

	public function test_open_keys() {
		foreach ( array( 'city', 'billing_phone', 'fluentcrm_tags', 'level', 'my_capability', 'first_name', 'locale' ) as $key ) {
			$this->assertFalse( memberhook_is_closed_key( $key ), $key );
		}
	}

	public function test_the_owner_may_close_more_keys_and_open_none() {
		add_filter( 'memberhook_is_closed_key', fn( $closed, $key ) => 'totp_secret' === $key );
		$this->assertTrue( memberhook_is_closed_key( 'totp_secret' ) );
		$this->assertTrue( memberhook_is_closed_key( 'session_tokens' ) );
		$this->assertFalse( memberhook_is_closed_key( 'city' ) );
	}

	public function test_tags_after_a_plan() {
		$plan = array(
			'tags_applied' => array( array( 'id' => '3' ), array( 'id' => '1' ) ),
			'tags_removed' => array( array( 'id' => '2' ), array( 'id' => '9' ) ),
		);
		$this->assertSame( array( '1', '3' ), memberhook_tags_after( $plan, array( '1', '2' ) ) );
		$once = memberhook_tags_after( $plan, array() );
		$this->assertSame( $once, memberhook_tags_after( $plan, $once ) );
	}

	public function test_the_meta_of_tags_and_link() {
		$plan  = array(
			'contact'      => '7',
			'tags_applied' => array( array( 'id' => '3' ) ),
			'tags_removed' => array(),
		);
		$batch = array(
			'connection' => 'shop',
			'wp_fusion'  => '',
		);
		$this->assertSame(
			array(
				'memberhook_contact_shop' => '7',
				'memberhook_tags_shop'    => array( '3' ),
			),
			memberhook_tag_meta( $plan, array(), $batch )
		);
		$batch['wp_fusion'] = 'fluentcrm';
		$written            = memberhook_tag_meta( $plan, array( '3' ), $batch );
		$this->assertArrayNotHasKey( 'memberhook_tags_shop', $written );
		$this->assertSame( array( '3' ), $written['fluentcrm_tags'] );
		$this->assertSame( '7', $written['fluentcrm_contact_id'] );
	}

	public function test_changes_have_the_names_and_the_order_of_outcomes() {
		$plan = array(
			'member'       => '5',
			'generated'    => false,
			'role'         => 'customer',
			'tags_applied' => array(),
		);
		$this->assertSame(
			array( 'user_email', 'role', 'user_pass', 'city', 'first_name', 'tags' ),
			memberhook_changed_names( $plan, array( 'tags', 'first_name', 'city', 'city', 'user_pass', 'role', 'user_email' ) )
		);
		$this->assertSame( array(), memberhook_changed_names( $plan, array() ) );
		$new = array( 'member' => null ) + $plan;
		$this->assertSame( array( 'user_email', 'role', 'user_pass' ), memberhook_changed_names( $new, array() ) );
		$generated = array( 'generated' => true ) + $new;
		$this->assertSame( array( 'user_email', 'role' ), memberhook_changed_names( $generated, array() ) );
	}

	public function test_what_a_column_cannot_hold_is_left_out_and_reported() {
		$warnings = array();
		$fields   = array(
			'display_name' => str_repeat( '🎓', 251 ),
			'user_url'     => str_repeat( 'x', 100 ),
			'first_name'   => null,
			'description'  => array( 'a', 'b' ),
			'city'         => 'Porto',
		);
		$this->assertSame(
			array(
				'user_url'    => str_repeat( 'x', 100 ),
				'first_name'  => '',
				'description' => 'a, b',
			),
			memberhook_core_data( $fields, $warnings )
		);
		$this->assertCount( 1, $warnings );
		$this->assertStringContainsString( '250 characters', $warnings[0] );
	}
}
