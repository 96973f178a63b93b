"""Listeners of WordPress's hooks see the same, whether core's own functions make and change a member or the connector.

`plugins/hook-recorder.php` listens; each case runs both on one WordPress, with one username.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.wordpress.runner import WordPress
from tests.wordpress.test_connector import change, plan

RECORDER = Path(__file__).parent / "plugins" / "hook-recorder.php"
STEPS_ASIDE = {
    "all",
    "add_user_metadata",
    "update_user_metadata",
    "get_user_metadata",
    "add_user_meta",
    "added_user_meta",
}
ONE_KEY = {"sanitize_user_meta_city", "sanitize_user_meta_first_name", "sanitize_user_meta_wp_user_level"}
TAG = {"id": "30003", "slug": "course", "title": "Course"}
FIELDS = {
    "first_name": "Ada",
    "display_name": "Ada L.",
    "city": "Porto",
    "list": ["a", "b"],
    "note": 'a:1:{i:0;s:1:"x";}',
}
NEW = plan(
    login="recorded", email="recorded@example.com", role="customer", fields=FIELDS, contact="70007", tags_applied=[TAG]
)

PREPARE = """
    require_once ABSPATH . 'wp-admin/includes/user.php';
    require_once $recorder;
    wp_set_current_user(1);
    $remove = function () {
        $user = get_user_by('login', Hook_Recorder::USERNAME);
        $user && wp_delete_user($user->ID);
    };
    $by_core = function () use ($plan) {
        wp_insert_user(wp_slash([
            'first_name' => $plan['fields']['first_name'], 'display_name' => $plan['fields']['display_name'],
            'user_login' => $plan['login'], 'user_email' => $plan['email'], 'user_pass' => $plan['password'],
            'role' => $plan['role'],
            'meta_input' => [
                'city' => $plan['fields']['city'], 'list' => $plan['fields']['list'], 'note' => $plan['fields']['note'],
                '_memberhook_idempotency_key' => $plan['key'], 'memberhook_contact_shop' => '70007',
                'memberhook_tags_shop' => ['30003'],
            ],
        ]));
    };
    $apply = function ($plan) {
        $batch = ['connection' => 'shop', 'tags' => [], 'wp_fusion' => '', 'full_cost_hash' => true, 'seconds' => 8];
        $answer = memberhook_apply($batch + ['plans' => [$plan]])[0];
        if (!isset($answer['id'])) {
            throw new Exception(wp_json_encode($answer));
        }
    };
    $record = function ($hooks, $acts, $run) use ($remove) {
        $remove();
        return (new Hook_Recorder())->record($hooks, $acts, $run);
    };
    $both = fn ($hooks, $acts = []) => [
        'core' => $record($hooks, $acts, $by_core),
        'ours' => $record($hooks, $acts, fn () => $apply($plan)),
    ];
"""


@pytest.fixture(scope="module")
def each(connected: WordPress) -> Mapping[str, Any]:
    """By hook: what it alone sees when a member is made."""
    code = "$found = []; foreach (Hook_Recorder::HOOKS as $hook) { $found[$hook] = $both([$hook]); } return $found;"
    found: dict[str, Any] = connected.php_json(PREPARE + code, recorder=str(RECORDER), plan=NEW)
    return found


def same(found: Mapping[str, Any]) -> None:
    core, ours = found["core"], found["ours"]
    assert ours["seen"] == core["seen"]
    assert sorted(map(str, ours["rows"])) == sorted(map(str, core["rows"]))
    assert ours["cached"] == core["cached"] or sorted(ours["cached"].items()) == sorted(core["cached"].items())


def test_each_hook_alone_is_called_as_core_calls_it(each: Mapping[str, Any]) -> None:
    for hook, found in each.items():
        same(found)
        one = found["ours"]["inserts"] == 1
        assert one is (hook not in STEPS_ASIDE | ONE_KEY), (hook, found["ours"]["inserts"])
    silent = {hook for hook, found in each.items() if not found["core"]["seen"]}
    assert silent == {
        "delete_user_metadata", "update_user_meta", "updated_user_meta", "delete_user_meta", "deleted_user_meta",
        "profile_update", "remove_user_role",
    }  # fmt: skip


def test_all_hooks_together(connected: WordPress) -> None:
    hooks = "array_values(array_diff(Hook_Recorder::HOOKS, ['all']))"
    found = connected.php_json(f"{PREPARE} return $both({hooks});", recorder=str(RECORDER), plan=NEW)
    same(found)
    assert len(found["core"]["seen"]) > 90


ACTS = {
    # other code's own calls, in the middle: what core returns to it, and what it reads
    "in_user_register": """['user_register' => function ($recorder, $id) {
        foreach (['add_user_meta', 'update_user_meta'] as $function) {
            $recorder->returned($function, $function($id, "by_$function", 'x'));
            $recorder->returned($function, $function($id, "by_$function", 'y'));
        }
        $recorder->returned('update_user_meta', update_user_meta($id, 'city', 'Lisboa'));
        $recorder->returned('update_user_meta', update_user_meta($id, 'city', 'Lisboa'));
        $recorder->returned('get_user_meta', wp_json_encode(get_user_meta($id)));
        $recorder->returned('delete_user_meta', delete_user_meta($id, 'list'));
        $recorder->returned('delete_user_meta', delete_user_meta($id, 'never'));
    }]""",
    "in_set_user_role": """['set_user_role' => function ($recorder, $id) {
        global $wpdb;
        $recorder->returned('add_user_meta', add_user_meta($id, 'seen', wp_json_encode(get_user_meta($id)), true));
        $recorder->returned('update_user_meta', update_user_meta($id, $wpdb->prefix . 'user_level', 3));
        $recorder->returned('wpdb', $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->usermeta WHERE user_id = $id"));
    }]""",
    "in_add_user_role": """['add_user_role' => function ($recorder, $id) {
        $recorder->returned('get_user_meta', wp_json_encode(get_user_meta($id)));
        $recorder->returned('update_user_meta', update_user_meta($id, 'city', 'Lisboa'));
    }]""",
    "before_any_meta": """['insert_user_meta' => function ($recorder, $meta, $user) {
        $recorder->returned('add_user_meta', add_user_meta($user->ID, 'city', 'first'));
        return $meta;
    }]""",
    # filters that change what is written
    "other_meta": """['insert_user_meta' => function ($recorder, $meta) {
        unset($meta['rich_editing']);
        return ['nickname' => 'N', 'more' => '1'] + $meta;
    }]""",
    "other_custom_meta": """['insert_custom_user_meta' => function ($recorder, $meta) {
        unset($meta['list']);
        return ['city' => 'Faro'] + $meta;
    }]""",
    "another_column": """['wp_pre_insert_user_data' => fn ($recorder, $data) => ['display_name' => 'X'] + $data]""",
    "a_sanitized_key": """['sanitize_user_meta_city' => fn ($recorder, $value) => strtoupper($value)]""",
    "a_sanitized_level": """['sanitize_user_meta_wp_user_level' => fn ($recorder, $value) => 1]""",
    # short circuits
    "update_answered_false": """['update_user_metadata' =>
        fn ($recorder, $done, $id, $key) => 'city' === $key ? false : $done]""",
    "update_answered_true": """['update_user_metadata' =>
        fn ($recorder, $done, $id, $key) => in_array($key, ['nickname', 'wp_user_level'], true) ? true : $done]""",
    "add_answered": """['add_user_metadata' => fn ($recorder, $done, $id, $key) => 'city' === $key ? 123 : $done]""",
    "get_answered": """['get_user_metadata' =>
        fn ($recorder, $value, $id, $key) => 'city' === $key ? ['Porto'] : $value]""",
}


@pytest.mark.parametrize("act", ACTS)
def test_other_code_that_takes_part(connected: WordPress, act: str) -> None:
    """With hooks that the connector writes ahead of, and with all of them."""
    code = f"""
        $hooks = ['user_register', 'set_user_role', 'update_user_meta', 'updated_user_meta', 'delete_user_meta'];
        $all = array_values(array_diff(Hook_Recorder::HOOKS, ['all']));
        return [$both($hooks, {ACTS[act]}), $both($all, {ACTS[act]})];"""
    few, every = connected.php_json(PREPARE + code, recorder=str(RECORDER), plan=NEW)
    same(few)
    same(every)


def test_a_change_is_core_s_own(connected: WordPress) -> None:
    update = change(
        0, email="recorded-and-moved@example.com", role="subscriber", roles_added=["contributor"], contact="80008",
        fields={"first_name": "Augusta", "city": "Lisboa", "phone": "+351", "list": None}, tags_removed=[TAG],
    )  # fmt: skip
    code = """
        $prepare = function () use ($apply, $plan, $remove) {
            $remove();
            $apply($plan);
            return get_user_by('login', Hook_Recorder::USERNAME);
        };
        $hooks = array_values(array_diff(Hook_Recorder::HOOKS, ['all']));
        $user = $prepare();
        $core = (new Hook_Recorder())->record($hooks, [], function () use ($user, $update) {
            $id = $user->ID;
            wp_update_user(wp_slash(['ID' => $id, 'first_name' => 'Augusta', 'user_email' => $update['email']]));
            update_user_meta($id, 'city', 'Lisboa');
            update_user_meta($id, 'phone', '+351');
            delete_user_meta($id, 'list');
            $user->set_role('subscriber');
            $user->add_role('contributor');
            update_user_meta($id, 'memberhook_contact_shop', '80008');
            update_user_meta($id, 'memberhook_tags_shop', []);
        });
        $user = $prepare();
        $run = fn () => $apply(['member' => (string) $user->ID] + $update);
        return ['core' => $core, 'ours' => (new Hook_Recorder())->record($hooks, [], $run)];"""
    found = connected.php_json(PREPARE + code, recorder=str(RECORDER), plan=NEW, update=update)
    same(found)
    seen = {hook for hook, _ in found["core"]["seen"]}
    assert {"updated_user_meta", "added_user_meta", "deleted_user_meta", "profile_update", "remove_user_role"} <= seen
