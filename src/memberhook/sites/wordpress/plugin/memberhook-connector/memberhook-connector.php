<?php
/**
 * Plugin Name:       Memberhook Connector
 * Description:       Lets Memberhook create and update members of this site, many at once, and sends FluentCRM's changes to Memberhook.
 * Version:           0.1.0
 * Requires at least: 6.0
 * Requires PHP:      7.4
 * Author:            Memberhook
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       memberhook-connector
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

if ( defined( 'MEMBERHOOK_VERSION' ) ) {
	return; // Already active as a must-use plugin.
}

/** Version of the plugin; the same as that of the Memberhook it comes with. */
define( 'MEMBERHOOK_VERSION', '0.1.0' );

/** The main file. */
define( 'MEMBERHOOK_FILE', __FILE__ );

require_once __DIR__ . '/includes/protection.php';
require_once __DIR__ . '/includes/access.php';
require_once __DIR__ . '/includes/class-memberhook-account.php';
require_once __DIR__ . '/includes/tags.php';
require_once __DIR__ . '/includes/members.php';
require_once __DIR__ . '/includes/class-memberhook-rejection.php';
require_once __DIR__ . '/includes/class-memberhook-new-user-meta.php';
require_once __DIR__ . '/includes/changes.php';
require_once __DIR__ . '/includes/welcome.php';
require_once __DIR__ . '/includes/apply.php';
require_once __DIR__ . '/includes/rest.php';
require_once __DIR__ . '/includes/class-memberhook-outbox.php';
require_once __DIR__ . '/includes/class-memberhook-settings-page.php';

register_activation_hook( __FILE__, 'memberhook_add_role' );
register_activation_hook( __FILE__, array( 'Memberhook_Outbox', 'activate' ) );
register_deactivation_hook( __FILE__, array( 'Memberhook_Outbox', 'deactivate' ) );
