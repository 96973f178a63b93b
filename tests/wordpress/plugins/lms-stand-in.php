<?php
/**
 * Plugin Name: Stand-in for LifterLMS, LearnDash and BuddyPress
 * Description: Their functions for enrolling: same names, same arguments, same answers, as far as docs/recipes calls
 * them. Everything is kept as user meta. Every call that changes something is noted in the option `enrolment_calls`.
 *
 * What they answer was read in LifterLMS 7.7.8 and BuddyPress 15 (which the recipe has run with), and for LearnDash, which
 * is not free, at developers.learndash.com/function/ld_update_course_access and …/ld_update_group_access.
 */

defined( 'ABSPATH' ) || exit;

/**
 * Notes a call.
 *
 * @param array ...$call Function and arguments.
 */
function lms_note( ...$call ) {
	update_option( 'enrolment_calls', array_merge( get_option( 'enrolment_calls', array() ), array( $call ) ), false );
}

/**
 * LifterLMS: whether the user is enrolled.
 *
 * @param int    $user_id    The user.
 * @param int    $product_id A course or membership.
 * @param string $relation   For lists of products.
 * @param bool   $use_cache  Not used.
 * @return bool
 */
function llms_is_user_enrolled( $user_id, $product_id, $relation = 'all', $use_cache = true ) {
	return 'enrolled' === get_user_meta( $user_id, "llms_status_$product_id", true );
}

/**
 * LifterLMS: enrols; false for who is enrolled, and for what is neither course nor membership.
 *
 * @param int    $user_id    The user.
 * @param int    $product_id A course or membership.
 * @param string $trigger    Why.
 * @return bool
 */
function llms_enroll_student( $user_id, $product_id, $trigger = 'unspecified' ) {
	lms_note( __FUNCTION__, $user_id, $product_id, $trigger );
	$known = in_array( get_post_type( $product_id ), array( 'course', 'llms_membership' ), true );
	if ( ! $known || llms_is_user_enrolled( $user_id, $product_id ) ) {
		return false;
	}
	update_user_meta( $user_id, "llms_status_$product_id", 'enrolled' );
	update_user_meta( $user_id, "llms_trigger_$product_id", $trigger );
	return true;
}

/**
 * LifterLMS: ends an enrolment, if it was made for this reason.
 *
 * @param int    $user_id    The user.
 * @param int    $product_id A course or membership.
 * @param string $new_status What it is then.
 * @param string $trigger    Why it was made; any.
 * @return bool
 */
function llms_unenroll_student( $user_id, $product_id, $new_status = 'expired', $trigger = 'any' ) {
	lms_note( __FUNCTION__, $user_id, $product_id, $new_status, $trigger );
	$made = get_user_meta( $user_id, "llms_trigger_$product_id", true );
	if ( ! llms_is_user_enrolled( $user_id, $product_id ) || ! in_array( $trigger, array( 'any', $made ), true ) ) {
		return false;
	}
	return (bool) update_user_meta( $user_id, "llms_status_$product_id", $new_status );
}

/**
 * LearnDash: lets the user into a course, or out of it. True when that changed something.
 *
 * @param int  $user_id   The user.
 * @param int  $course_id The course.
 * @param bool $remove    Out.
 * @return bool
 */
function ld_update_course_access( $user_id, $course_id, $remove = false ) {
	lms_note( __FUNCTION__, $user_id, $course_id, $remove );
	$key = "course_{$course_id}_access_from";
	if ( $remove ) {
		return delete_user_meta( $user_id, $key );
	}
	return ! get_user_meta( $user_id, $key, true ) && update_user_meta( $user_id, $key, time() );
}

/**
 * LearnDash: lets the user into a group, or out of it. True when that changed something.
 *
 * @param int  $user_id  The user.
 * @param int  $group_id The group.
 * @param bool $remove   Out.
 * @return bool
 */
function ld_update_group_access( $user_id, $group_id, $remove = false ) {
	lms_note( __FUNCTION__, $user_id, $group_id, $remove );
	$key = "learndash_group_users_$group_id";
	if ( $remove ) {
		return delete_user_meta( $user_id, $key );
	}
	return ! get_user_meta( $user_id, $key, true ) && update_user_meta( $user_id, $key, $group_id );
}

/**
 * BuddyPress: a group; its id is 0 if it is not there.
 *
 * @param int $group_id The group.
 * @return object
 */
function groups_get_group( $group_id ) {
	return (object) array( 'id' => 7 === (int) $group_id ? 7 : 0 );
}

/**
 * BuddyPress: whether the user is in the group and not banned there.
 *
 * @param int $user_id  The user.
 * @param int $group_id The group.
 * @return bool
 */
function groups_is_user_member( $user_id, $group_id ) {
	return 'member' === get_user_meta( $user_id, "bp_group_$group_id", true );
}

/**
 * BuddyPress: whether the user is banned from the group.
 *
 * @param int $user_id  The user.
 * @param int $group_id The group.
 * @return bool
 */
function groups_is_user_banned( $user_id, $group_id ) {
	return 'banned' === get_user_meta( $user_id, "bp_group_$group_id", true );
}

/**
 * BuddyPress: makes the user a member of the group; lifts a ban too.
 *
 * @param int $group_id The group.
 * @param int $user_id  The user.
 * @return bool
 */
function groups_join_group( $group_id, $user_id = 0 ) {
	lms_note( __FUNCTION__, $group_id, $user_id );
	update_user_meta( $user_id, "bp_group_$group_id", 'member' );
	return true;
}

/**
 * BuddyPress: takes the user out of the group; forgets a ban too.
 *
 * @param int $group_id The group.
 * @param int $user_id  The user.
 * @return bool
 */
function groups_leave_group( $group_id, $user_id = 0 ) {
	lms_note( __FUNCTION__, $group_id, $user_id );
	return delete_user_meta( $user_id, "bp_group_$group_id" );
}
