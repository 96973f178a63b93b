<?php
/**
 * The exception that ends a plan.
 *
 * @package Memberhook
 */

defined( 'ABSPATH' ) || exit;

/**
 * Why a plan is not applied: `stale` (Memberhook must plan again) or `error` (it will never work).
 */
class Memberhook_Rejection extends Exception {
	/**
	 * Either stale or error.
	 *
	 * @var string
	 */
	public $kind;

	/**
	 * Creates one.
	 *
	 * @param string $kind    Either stale or error.
	 * @param string $message For the site's owner.
	 */
	public function __construct( $kind, $message = '' ) {
		parent::__construct( $message );
		$this->kind = $kind;
	}
}
