<?php
/**
 * Plugin Name: Memberhook: enrol by tag
 * Description: Enrols members in courses and groups of this site while they have a tag from the CRM.
 *
 * Save it in wp-content/mu-plugins on the site that runs the Memberhook Connector plugin.
 */

defined( 'ABSPATH' ) || exit;

/** Tag in the CRM (slug, title or id) => what to enrol its members in. Enter your own here. */
const MEMBERHOOK_ENROL = array(
	'course' => array( 'lifterlms:12' ),
	'club'   => array( 'lifterlms:12', 'learndash:34', 'learndash-group:56', 'group:7' ),
);

/**
 * The kinds of targets above. Each checks for an enrolment, enrols (returns true on success) and unenrols.
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
		'learndash'       => array( // A course. This meta is set for direct enrolments only, not for those by group.
			'in'    => fn( $user, $id ) => get_user_meta( $user, "course_{$id}_access_from", true ),
			'enrol' => fn( $user, $id ) => 'sfwd-courses' === get_post_type( $id ) && ld_update_course_access( $user, $id ),
			'end'   => fn( $user, $id ) => ld_update_course_access( $user, $id, true ),
		),
		'learndash-group' => array(
			'in'    => fn( $user, $id ) => get_user_meta( $user, "learndash_group_users_$id", true ),
			'enrol' => fn( $user, $id ) => 'groups' === get_post_type( $id ) && ld_update_group_access( $user, $id ),
			'end'   => fn( $user, $id ) => ld_update_group_access( $user, $id, true ),
		),
		'group'           => array( // BuddyBoss or BuddyPress. Bans are respected.
			'in'    => fn( $user, $id ) => groups_is_user_member( $user, $id ) || groups_is_user_banned( $user, $id ),
			'enrol' => fn( $user, $id ) => groups_get_group( $id )->id && groups_join_group( $id, $user ),
			'end'   => fn( $user, $id ) => groups_is_user_banned( $user, $id ) || groups_leave_group( $id, $user ),
		),
	);
}

add_action( 'memberhook_tags_applied', 'memberhook_enrol' );
add_action( 'memberhook_tags_removed', 'memberhook_enrol' );

/**
 * Enrols and unenrols a member as the tags require. Ends only enrolments that this file has made.
 *
 * @param int $user_id The member.
 * @throws RuntimeException If a target does not exist; Memberhook then retries the member later.
 */
function memberhook_enrol( $user_id ) {
	$targets = array();
	foreach ( MEMBERHOOK_ENROL as $tag => $its_targets ) {
		if ( memberhook_has_tag( $tag, $user_id ) ) {
			$targets = array_merge( $targets, $its_targets );
		}
	}
	$kinds  = memberhook_enrol_kinds();
	$key    = memberhook_meta_key( 'memberhook_enrolled' );
	$before = array_filter( (array) get_user_meta( $user_id, $key, true ) );
	$after  = array_values( array_intersect( $before, $targets ) );
	foreach ( array_diff( array_unique( $targets ), $before ) as $target ) {
		list( $kind, $id ) = explode( ':', $target );
		if ( $kinds[ $kind ]['in']( $user_id, (int) $id ) ) {
			continue;
		}
		if ( ! $kinds[ $kind ]['enrol']( $user_id, (int) $id ) ) {
			throw new RuntimeException( "Memberhook: $target does not exist." );
		}
		$after[] = $target;
	}
	foreach ( array_diff( $before, $targets ) as $target ) {
		list( $kind, $id ) = explode( ':', $target );
		$kinds[ $kind ]['end']( $user_id, (int) $id );
	}
	if ( $after !== $before ) {
		update_user_meta( $user_id, $key, $after );
	}
}
