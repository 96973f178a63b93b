<?php
/**
 * Deletes what the plugin has stored, on every site: the outbox and its settings, the role, and the account of Memberhook.
 *
 * What belongs to members stays: their contact, their tags and the names of the tags.
 *
 * @package Memberhook
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

require_once __DIR__ . '/memberhook-connector.php';

if ( __DIR__ . '/memberhook-connector.php' !== MEMBERHOOK_FILE ) {
	return; // Another copy is active as a must-use plugin and goes on using all that.
}

/**
 * Deletes what is stored on one site.
 */
function memberhook_uninstall_site() {
	Memberhook_Outbox::uninstall();
	Memberhook_Account::delete();
	remove_role( MEMBERHOOK_ROLE );
}

if ( is_multisite() ) {
	$memberhook_sites = get_sites(
		array(
			'fields' => 'ids',
			'number' => 0,
		)
	);
	foreach ( $memberhook_sites as $memberhook_site ) {
		switch_to_blog( $memberhook_site );
		memberhook_uninstall_site();
		restore_current_blog();
	}
} else {
	memberhook_uninstall_site();
}
