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

// ---------------------------------------------------------------------------------------------------------------------
// 5 The page in wp-admin.
