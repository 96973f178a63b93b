<?php
/**
 * Plugin Name: Memberhook: enrol by tag
 * Description: A tag from the CRM enrols the member in courses and groups of this site. Without the tag it ends.
 *
 * For the folder wp-content/mu-plugins of the site that has the plugin Memberhook Connector.
 */

defined( 'ABSPATH' ) || exit;

/** Tag in the CRM (slug, title or id) => what its members are enrolled in. Put your own here. */
const MEMBERHOOK_ENROL = array(
	'course' => array( 'lifterlms:12' ),
	'club'   => array( 'lifterlms:12', 'learndash:34', 'learndash-group:56', 'group:7' ),
);

/**
 * What can stand before the number above. Each says whether the member is in, enrols (true when done), ends it.
 *
 * @return array
 */
function memberhook_enrol_kinds() {
	return array(
		'lifterlms'       => array( // A course or a membership.
			'in'    => fn( $user, $id ) => llms_is_user_enrolled( $user, $id, 'all', false ),
			'enrol' => fn( $user, $id ) => llms_enroll_student( $user, $id, 'memberhook' ),
			'end'   => fn( $user, $id ) => llms_unenroll_student( $user, $id, 'expired', 'memberhook' ),
		),
		'learndash'       => array( // A course. The meta is that of an enrolment of its own, not by group.
			'in'    => fn( $user, $id ) => get_user_meta( $user, "course_{$id}_access_from", true ),
			'enrol' => fn( $user, $id ) => 'sfwd-courses' === get_post_type( $id ) && ld_update_course_access( $user, $id ),
			'end'   => fn( $user, $id ) => ld_update_course_access( $user, $id, true ),
		),
		'learndash-group' => array(
			'in'    => fn( $user, $id ) => get_user_meta( $user, "learndash_group_users_$id", true ),
			'enrol' => fn( $user, $id ) => 'groups' === get_post_type( $id ) && ld_update_group_access( $user, $id ),
			'end'   => fn( $user, $id ) => ld_update_group_access( $user, $id, true ),
		),
		'group'           => array( // Of BuddyBoss or BuddyPress. Who is banned there stays so.
			'in'    => fn( $user, $id ) => groups_is_user_member( $user, $id ) || groups_is_user_banned( $user, $id ),
			'enrol' => fn( $user, $id ) => groups_get_group( $id )->id && groups_join_group( $id, $user ),
			'end'   => fn( $user, $id ) => groups_is_user_banned( $user, $id ) || groups_leave_group( $id, $user ),
		),
	);
}

add_action( 'memberhook_tags_applied', 'memberhook_enrol' );
add_action( 'memberhook_tags_removed', 'memberhook_enrol' );

/**
 * Brings the member's enrolments up to what the tags say. It ends none that it has not made.
 *
 * @param int $user_id The member.
 * @throws RuntimeException When nothing by that number is there; Memberhook then tries the member again later.
 */
function memberhook_enrol( $user_id ) {
	$wanted = array();
	foreach ( MEMBERHOOK_ENROL as $tag => $places ) {
		if ( memberhook_has_tag( $tag, $user_id ) ) {
			$wanted = array_merge( $wanted, $places );
		}
	}
	$kinds  = memberhook_enrol_kinds();
	$key    = memberhook_meta_key( 'memberhook_enrolled' );
	$before = array_filter( (array) get_user_meta( $user_id, $key, true ) );
	$after  = array_values( array_intersect( $before, $wanted ) );
	foreach ( array_diff( array_unique( $wanted ), $before ) as $place ) {
		list( $kind, $id ) = explode( ':', $place );
		if ( $kinds[ $kind ]['in']( $user_id, (int) $id ) ) {
			continue;
		}
		if ( ! $kinds[ $kind ]['enrol']( $user_id, (int) $id ) ) {
			throw new RuntimeException( "Memberhook: $place is not there." );
		}
		$after[] = $place;
	}
	foreach ( array_diff( $before, $wanted ) as $place ) {
		list( $kind, $id ) = explode( ':', $place );
		$kinds[ $kind ]['end']( $user_id, (int) $id );
	}
	if ( $after !== $before ) {
		update_user_meta( $user_id, $key, $after );
	}
}
