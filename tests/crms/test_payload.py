"""Reading a request's data: JSON, forms and queries, PHP's brackets, limits, encodings."""

from __future__ import annotations

import gzip
import json
import zlib
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberhook.core.errors import RequestRejected
from memberhook.crms.contract import WebhookRequest
from memberhook.crms.payload import Payload, Source, read

JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


def post(body: bytes | str, content_type: str = JSON) -> Payload:
    return read(
        WebhookRequest("POST", body=body.encode() if isinstance(body, str) else body, content_type=content_type)
    )


def form(body: str) -> Payload:
    return post(body, FORM)


def query(text: str, **options: bool) -> Payload:
    return read(WebhookRequest("GET", query=text), **options)


def refusal(body: bytes | str, content_type: str = JSON) -> tuple[str, str]:
    with pytest.raises(RequestRejected) as caught:
        post(body, content_type)
    assert caught.value.status == 400
    return caught.value.code, caught.value.message


class TestJson:
    def test_an_object(self) -> None:
        body = '{"id": 5, "name": "Zo\\u00eb \\ud83d\\udc18", "tags": [{"id": "1"}], "x": null, "y": 1.5, "z": true}'
        data = {"id": 5, "name": "Zoë 🐘", "tags": [{"id": "1"}], "x": None, "y": 1.5, "z": True}
        assert post(body) == Payload(Source.JSON, data)

    def test_a_bom_and_white_space_are_passed_over(self) -> None:
        assert post(b'\xef\xbb\xbf {"a": 1}\r\n').data == {"a": 1}

    @pytest.mark.parametrize("content_type", ["", "text/plain", "application/vnd.x+json", "APPLICATION/JSON", FORM])
    def test_an_object_is_one_whatever_the_content_type(self, content_type: str) -> None:
        assert post('\n {"a": 1}', content_type) == Payload(Source.JSON, {"a": 1})

    def test_phps_empty_list_is_no_data(self) -> None:
        assert post("[]").data == {}

    def test_an_empty_body_is_no_data(self) -> None:
        assert post(" \n") == Payload()

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ('{"a": 1,\n "b" 2}', "Expecting ':' delimiter at line 2, column 6."),
            ('{"a": ', "Expecting value at line 1, column 7."),
            ("{'a': 1}", "at line 1, column 2."),
            ('{"a": "\n"}', "Invalid control character at line 1, column 8."),
            ('{"a": 1} x', "Extra data at line 1, column 10."),
            ('{"a": NaN}', "The body contains NaN, which is not valid JSON."),
            ('{"a": -Infinity}', "The body contains -Infinity"),
            ('{"a": 1, "a": 2}', "The body has a twice in one object."),
            ('{"x": {"a": 1, "a": 1}}', "The body has a twice in one object."),
            ('{"zoe@example.com": 1, "zoe@example.com": 2}', "The body has a parameter twice in one object."),
            ('{"a": ' + "9" * 5000 + "}", "a number that is too long"),
            ('{"a":' * 16 + "1" + "}" * 16 + "}", "Extra data"),
            ('{"a":' * 17 + "1" + "}" * 17, "nested more than 16 levels deep"),
            ('{"a":' + "[" * 16 + "]" * 16 + "}", "nested more than 16 levels deep"),
            ('{"a":' + "[" * 200_000, "nested more than 16 levels deep"),
            ("[1]", "not an object"),
            ("null", "not an object"),
            ('"text"', "not an object"),
            ("5", "not an object"),
        ],
    )
    def test_what_is_refused(self, body: str, message: str) -> None:
        code, said = refusal(body)
        assert code == "unreadable_body"
        assert message in said

    def test_sixteen_levels_are_read(self) -> None:
        body = '{"a":' * 16 + "1" + "}" * 16
        assert post(body).data == json.loads(body)

    def test_numbers_too_large_for_a_float_stay_text(self) -> None:
        assert post('{"a": 1e999, "b": -1e999, "c": 1e3}').data == {"a": "1e999", "b": "-1e999", "c": 1000.0}

    def test_half_characters_are_left_for_the_adapter(self) -> None:
        assert post('{"a": "\\ud800"}').data == {"a": "\ud800"}

    def test_bytes_that_are_not_utf_8(self) -> None:
        code, said = refusal(b'{"name": "Zo\xeb"}')
        assert (code, "at byte 13" in said) == ("wrong_encoding", True)
        assert refusal('{"name": "Zoë"}'.encode("utf-16"))[0] == "wrong_encoding"

    def test_a_declared_other_encoding(self) -> None:
        content_type = "application/json; charset=ISO-8859-1"
        code, said = refusal('{"name": "Zoë"}', content_type)
        assert (code, "ISO-8859-1" in said) == ("wrong_encoding", True)
        assert post('{"name": "Zoe"}', content_type).data == {"name": "Zoe"}
        assert post('{"name": "Zoë"}', 'application/json; charset="UTF-8"').data == {"name": "Zoë"}


class TestForms:
    def test_values_are_decoded(self) -> None:
        payload = form("first_name=Zo%C3%AB&city=S%C3%A3o+Pedro&a%2Bb=%2B1&empty=&flag")
        assert payload.data == {"first_name": "Zoë", "city": "São Pedro", "a+b": "+1", "empty": "", "flag": ""}
        assert payload.source is Source.FORM
        assert payload.pairs[1] == ("city", "São Pedro")

    @pytest.mark.parametrize(
        ("body", "data"),
        [
            ("a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
            ("a%5Bb%5D%5B0%5D=x&a%5Bb%5D%5B1%5D=y", {"a": {"b": ["x", "y"]}}),
            ("a[]=x&a[]=y", {"a": ["x", "y"]}),
            ("a[5]=x&a[]=y", {"a": ["x", "y"]}),
            ("t[0][id]=1&t[0][slug]=vip&t[1][id]=2", {"t": [{"id": "1", "slug": "vip"}, {"id": "2"}]}),
            ("a[][b]=1&a[][b]=2", {"a": [{"b": "1"}, {"b": "2"}]}),
            ("a[0]=x&a[b]=y", {"a": {"0": "x", "b": "y"}}),
            ("a[b=1", {"a[b": "1"}),
            ("a]=1", {"a]": "1"}),
            ("[a]=1", {"[a]": "1"}),
            ("a[b]c=1", {"a[b]c": "1"}),
            ("a[[b]]=1", {"a[[b]]": "1"}),
            ("=1&&a=2&", {"a": "2"}),
            ("a=%zz%4", {"a": "%zz%4"}),
            ("a[99999999999999999999]=x&a[]=y", {"a": {"99999999999999999999": "x", "0": "y"}}),
        ],
    )
    def test_phps_brackets(self, body: str, data: object) -> None:
        assert form(body).data == data
        assert form(body).repeated == frozenset()

    @pytest.mark.parametrize(
        ("body", "data", "doubled"),
        [
            ("a=1&a=2", {"a": "2"}, {"a"}),
            ("a=1&a=1", {"a": "1"}, {"a"}),
            ("a[b]=1&a[b]=2", {"a": {"b": "2"}}, {"a"}),
            ("a=1&a[b]=2", {"a": {"b": "2"}}, {"a"}),
            ("a[b]=1&a=2", {"a": "2"}, {"a"}),
            ("a[b]=1&a[b][c]=2&d=1", {"a": {"b": {"c": "2"}}, "d": "1"}, {"a"}),
            ("a[0]=x&a[]=y&a[1]=z", {"a": ["x", "z"]}, {"a"}),
            ("a[=1&a[=2", {"a[": "2"}, {"a["}),
        ],
    )
    def test_what_is_set_twice_is_reported(self, body: str, data: object, doubled: set[str]) -> None:
        payload = form(body)
        assert (payload.data, payload.repeated) == (data, doubled)

    def test_limits(self) -> None:
        assert len(form("&".join(f"a{n}=1" for n in range(1000))).data) == 1000
        assert refusal("&".join(f"a{n}=1" for n in range(1001)), FORM) == (
            "unreadable_body",
            "The body has more than 1,000 parameters.",
        )
        assert form("a" + "[b]" * 16 + "=1").data["a"]
        assert "nested more than 16 levels deep" in refusal("a" + "[b]" * 17 + "=1", FORM)[1]

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("a=1&first_name=Zo%EB", "The value of first_name (parameter 2 of the body) is not UTF-8."),
            ("a=%ff%fe", "The value of a (parameter 1 of the body)"),
            ("zo%EB=1", "The name of parameter 1 of the body is not UTF-8."),
            (b"a=Zo\xeb", "The value of a"),
            ("zoe%40example.com=%ff", "The value of a parameter (parameter 1 of the body)"),
            ("a=%ED%A0%80", "The value of a"),
        ],
    )
    def test_what_is_not_utf_8(self, body: bytes | str, message: str) -> None:
        code, said = refusal(body, FORM)
        assert (code, said.startswith(message)) == ("wrong_encoding", True)

    def test_raw_utf_8_is_read(self) -> None:
        assert form("a=Zoë").data == {"a": "Zoë"}

    def test_no_content_type(self) -> None:
        assert post("a=1", "").data == {"a": "1"}
        assert post("a=1", "text/plain").source is Source.FORM


class TestQueries:
    def test_a_plus_is_what_the_sender_means_by_it(self) -> None:
        assert query("a=x+y").data == {"a": "x y"}
        assert query("a=x+y%20z", plus_is_space_in_query=False).data == {"a": "x+y z"}

    def test_the_body_comes_first_except_for_get(self) -> None:
        assert read(WebhookRequest("POST", query="a=1", body=b"b=2")).data == {"b": "2"}
        assert read(WebhookRequest("POST", query="a=1", body=b" ")).data == {"a": "1"}
        assert read(WebhookRequest("GET", query="a=1", body=b"b=2")).data == {"a": "1"}
        assert read(WebhookRequest("GET", body=b"b=2")).data == {"b": "2"}
        assert read(WebhookRequest("POST")) == Payload()

    def test_encodings(self) -> None:
        assert query("a=Zoë").data == {"a": "Zoë"}
        for bad in ("a=%EB", "a=\udceb", "a=\ud800"):
            with pytest.raises(RequestRejected) as caught:
                query(bad)
            assert caught.value.code == "wrong_encoding"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
            "multipart/form-data; boundary=x",
            "multip",
        ),
        (gzip.compress(b'{"a": 1}', mtime=0), JSON, "compressed"),
        (zlib.compress(b'{"a": 1}'), FORM, "compressed"),
    ],
)
def test_bodies_of_other_kinds(body: bytes, content_type: str, message: str) -> None:
    code, said = refusal(body, content_type)
    assert (code, message in said) == ("unreadable_body", True)


requests = st.builds(
    WebhookRequest,
    method=st.sampled_from(["GET", "POST"]),
    query=st.text(max_size=60) | st.text("ab[]=&%+0123", max_size=60),
    content_type=st.sampled_from(["", JSON, FORM, "text/plain", "application/json; charset=latin1", "multipart/x"]),
    body=st.binary(max_size=80)
    | st.text("ab[]=&%+0123", max_size=60).map(str.encode)
    | st.text('{}[]":,1\\u', max_size=40).map(str.encode),
)


@given(requests, st.booleans())
def test_nothing_but_a_refusal_is_raised(request: WebhookRequest, plus: bool) -> None:
    refused = None
    try:
        read(request, plus_is_space_in_query=plus)
    except RequestRejected as error:
        refused = error
    assert refused is None or (refused.status == 400 and refused.code in {"unreadable_body", "wrong_encoding"})


names = st.text("abcdefgh_ éß&=+%'\"", min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.dictionaries(names, texts, max_size=6))
def test_an_encoded_form_comes_back_as_it_was(data: dict[str, str]) -> None:
    payload = form(urlencode(data))
    assert payload.data == data
    assert not payload.repeated


@given(st.dictionaries(names, texts, min_size=1, max_size=6))
def test_a_percent_encoded_query_comes_back_as_it_was(data: dict[str, str]) -> None:
    assert query(urlencode(data, quote_via=quote), plus_is_space_in_query=False).data == data


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=4))
def test_json_comes_back_as_it_was(data: dict[str, object]) -> None:
    assert post(json.dumps(data)).data == data
