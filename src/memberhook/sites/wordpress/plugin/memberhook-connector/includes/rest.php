<?php
/**
 * The REST routes that Memberhook calls, for a user with an application password.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

add_action( 'rest_api_init', 'memberhook_register_routes' );

/**
 * Registers the routes.
 */
function memberhook_register_routes() {
	$list = array(
		'type'     => 'array',
		'items'    => array( 'type' => 'string' ),
		'default'  => array(),
		'maxItems' => 5000,
	);
	$name = array(
		'type'     => 'string',
		'pattern'  => '^[A-Za-z0-9_-]{1,64}\z',
		'required' => true,
	);
	$slug = array(
		'type'    => 'string',
		'pattern' => '^[a-z0-9_-]{0,60}\z',
		'default' => '',
	);
	register_rest_route(
		'memberhook/v1',
		'/site',
		array(
			'methods'             => 'GET',
			'callback'            => 'memberhook_describe_site',
			'permission_callback' => 'memberhook_may_read_site',
		)
	);
	register_rest_route(
		'memberhook/v1',
		'/members/find',
		array(
			'methods'             => 'POST',
			'permission_callback' => 'memberhook_may_manage',
			'callback'            => function ( WP_REST_Request $request ) {
				return memberhook_find( $request->get_params() ) + array( 'roles' => array_values( memberhook_roles() ) );
			},
			'args'                => array(
				'connection' => $name,
				'ids'        => $list,
				'contacts'   => $list,
				'emails'     => $list,
				'logins'     => $list,
				'fields'     => $list,
				'wp_fusion'  => $slug,
			),
		)
	);
	register_rest_route(
		'memberhook/v1',
		'/members/apply',
		array(
			'methods'             => 'POST',
			'permission_callback' => 'memberhook_may_manage',
			'callback'            => function ( WP_REST_Request $request ) {
				return array( 'applied' => memberhook_apply( $request->get_params() ) );
			},
			'args'                => array(
				'connection'     => $name,
				'plans'          => array(
					'type'     => 'array',
					'items'    => memberhook_plan_schema(),
					'maxItems' => 500,
					'required' => true,
				),
				'tags'           => array(
					'type'    => 'array',
					'items'   => memberhook_tag_schema(),
					'default' => array(),
				),
				'wp_fusion'      => $slug,
				'full_cost_hash' => array(
					'type'    => 'boolean',
					'default' => false,
				),
				'seconds'        => array(
					'type'    => 'number',
					'minimum' => 0,
					'maximum' => 25,
					'default' => 8,
				),
			),
		)
	);
	register_rest_route(
		'memberhook/v1',
		'/members',
		array(
			'methods'             => 'GET',
			'permission_callback' => 'memberhook_may_manage',
			'callback'            => 'memberhook_list',
			'args'                => array(
				'after'  => array(
					'type'    => 'integer',
					'minimum' => 0,
					'default' => 0,
				),
				'limit'  => array(
					'type'    => 'integer',
					'minimum' => 1,
					'maximum' => 500,
					'default' => 100,
				),
				'fields' => $list,
				'emails' => $list,
			),
		)
	);
}

/**
 * A tag as JSON.
 *
 * @return array
 */
function memberhook_tag_schema() {
	$text = array(
		'type'     => 'string',
		'required' => true,
	);
	return array(
		'type'       => 'object',
		'properties' => array(
			'id'    => $text,
			'slug'  => $text,
			'title' => $text,
		),
	);
}

/**
 * A plan as JSON. `member` is the id of the member to change; null creates one. Null in `fields` deletes the value.
 *
 * @return array
 */
function memberhook_plan_schema() {
	$flag  = array(
		'type'     => 'boolean',
		'required' => true,
	);
	$maybe = array(
		'type'     => array( 'string', 'null' ),
		'required' => true,
	);
	$tags  = array(
		'type'     => 'array',
		'items'    => memberhook_tag_schema(),
		'required' => true,
	);
	$roles = array(
		'type'     => 'array',
		'items'    => array( 'type' => 'string' ),
		'required' => true,
	);
	return array(
		'type'       => 'object',
		'properties' => array(
			'key'           => array(
				'type'     => 'string',
				'required' => true,
			),
			'contact'       => array(
				'type'     => 'string',
				'required' => true,
			),
			'member'        => $maybe + array( 'pattern' => '^[0-9]{1,20}\z' ),
			'login'         => $maybe,
			'email'         => $maybe,
			'password'      => $maybe,
			'generated'     => $flag,
			'role'          => $maybe,
			'roles_added'   => $roles,
			'roles_removed' => $roles,
			'fields'        => array(
				'type'                 => 'object',
				'required'             => true,
				'additionalProperties' => array(
					'type'  => array( 'string', 'array', 'null' ), // In this order, so that text with commas is not split.
					'items' => array( 'type' => 'string' ),
				),
			),
			'tags_applied'  => $tags,
			'tags_removed'  => $tags,
			'welcome'       => $flag,
			'is_retry'      => $flag,
		),
	);
}

/**
 * Whether the logged-in user may read what this site is and can do.
 *
 * @return bool|WP_Error
 */
function memberhook_may_read_site() {
	return memberhook_is_connector() || current_user_can( 'list_users' ) ? true : memberhook_forbidden();
}

/**
 * Whether the logged-in user may find, create and change members.
 *
 * @return bool|WP_Error
 */
function memberhook_may_manage() {
	return memberhook_is_connector() || memberhook_can_manage_users() ? true : memberhook_forbidden();
}

/**
 * The answer to a user without the rights.
 *
 * @return WP_Error
 */
function memberhook_forbidden() {
	return new WP_Error(
		is_user_logged_in() ? 'memberhook_no_rights' : 'rest_not_logged_in',
		sprintf(
			'This needs the capability %1$s, or all of %2$s.',
			MEMBERHOOK_CAPABILITY,
			implode( ', ', MEMBERHOOK_CORE_RIGHTS )
		),
		array( 'status' => rest_authorization_required_code() )
	);
}

/**
 * What this site is, what it can do, and what the logged-in user may do.
 *
 * @return array
 */
function memberhook_describe_site() {
	global $wpdb;
	$keys   = $wpdb->get_col( "SELECT DISTINCT meta_key FROM $wpdb->usermeta ORDER BY meta_key LIMIT 1000" );
	$rights = array();
	foreach ( array_merge( array( MEMBERHOOK_CAPABILITY ), MEMBERHOOK_CORE_RIGHTS ) as $right ) {
		$rights[ $right ] = current_user_can( $right );
	}
	return array(
		'connector'      => MEMBERHOOK_VERSION,
		'wordpress'      => get_bloginfo( 'version' ),
		'php'            => PHP_VERSION,
		'multisite'      => is_multisite(),
		'name'           => wp_specialchars_decode( get_bloginfo( 'name' ), ENT_QUOTES ),
		'default_role'   => (string) get_option( 'default_role' ),
		'roles'          => array_values( memberhook_roles() ),
		'meta_keys'      => array_values(
			array_filter(
				$keys,
				function ( $key ) {
					return ! memberhook_is_closed_key( $key );
				}
			)
		),
		'fluentcrm'      => defined( 'FLUENTCRM_PLUGIN_VERSION' ) ? FLUENTCRM_PLUGIN_VERSION : null,
		'rights'         => $rights,
		'surplus_rights' => memberhook_has_surplus_rights( wp_get_current_user() ),
		'rehash'         => version_compare( get_bloginfo( 'version' ), '6.8-alpha', '>=' ),
	);
}
