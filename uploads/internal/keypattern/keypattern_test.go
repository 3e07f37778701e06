package keypattern_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// Parse refuses an invalid pattern, and returns the rule that it breaks.
func TestParseRefusesPatterns(t *testing.T) {
	tests := []struct {
		name, pattern string
		// rule is a part of the rule that the pattern breaks.
		rule string
	}{
		{name: "nothing", pattern: "", rule: "must have {random}"},
		{name: "nothing that is unique", pattern: "users/{user}{ext}", rule: "must have {random}"},
		{name: "random twice", pattern: "{random}/{random}", rule: "twice"},
		{name: "two unique names", pattern: "{newest}/{id}", rule: "twice"},
		{name: "a value twice", pattern: "{user}/{user}/{random}", rule: "{user} twice"},
		{name: "a brace that stays open", pattern: "a/{random", rule: "not a name in braces"},
		{name: "a name that is none", pattern: "{User}/{random}", rule: "not a name in braces"},
		{name: "no name", pattern: "{}/{random}", rule: "not a name in braces"},
		{name: "two values in a segment", pattern: "{a}-{b}/{random}", rule: "two values"},
		{name: "an extension in the middle", pattern: "{random}{ext}/x", rule: "{ext}"},
		{name: "an extension after a value", pattern: "{random}/{user}{ext}", rule: "{ext}"},
		{name: "a slash at the beginning", pattern: "/{random}", rule: "segment"},
		{name: "a slash at the end", pattern: "{random}/", rule: "segment"},
		{name: "an empty segment", pattern: "a//{random}", rule: "segment"},
		{name: "a segment above", pattern: "../{random}", rule: "segment"},
		{name: "a point at a segment's end", pattern: "a./{random}", rule: "segment"},
		{name: "a space", pattern: "my files/{random}", rule: "allowed outside braces"},
		{name: "a backslash", pattern: `a\{random}`, rule: "allowed outside braces"},
		{name: "a control character", pattern: "a\x00/{random}", rule: "allowed outside braces"},
		{name: "invalid UTF-8", pattern: "\xff/{random}", rule: "allowed outside braces"},
		{name: "more than a key holds", pattern: "{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{random}", rule: "1,024 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, rule := keypattern.Parse(tt.pattern)
			require.Contains(t, rule, tt.rule)
		})
	}
}

// Key fills a pattern with values, the date in UTC, random letters and an extension, and Matches recognizes the result.
func TestPatternIsFilled(t *testing.T) {
	when := time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("east", 2*60*60))
	p, rule := keypattern.Parse("users/{user}/{kind}-{yyyy}.{mm}.{dd}/x{random}{ext}")
	require.Empty(t, rule)

	v := map[string]string{"user": "a.B_c-1", "kind": "avatar"}
	_, flaw := p.Check(v)
	require.Empty(t, flaw)

	key := p.Key(v, when, keypattern.Random{0: 0xFF, 15: 1}, ".jpg")
	require.Equal(t, "users/a.B_c-1/avatar-2025.12.31/x74aaaaaaaaaaaaaaaaaaaaaaae.jpg", key)
	require.True(t, p.Matches(key, v))
	require.True(t, p.Matches(strings.TrimSuffix(key, ".jpg"), v), "a type without an extension")
}

// Keys with {newest} sort in the reverse order of their times.
func TestNewestSortsLaterTimesFirst(t *testing.T) {
	p, rule := keypattern.Parse("users/{user}/{newest}{ext}")
	require.Empty(t, rule)
	_, ordered := p.Ordered()
	require.False(t, ordered, "keys are not in the order of IDs")

	values := map[string]string{"user": "7"}
	latestFirst := []time.Time{
		time.Unix(1<<40, 0),
		time.Date(2026, 11, 29, 0, 0, 0, 2e6, time.UTC), // a millisecond after the next time
		time.Date(2026, 11, 29, 0, 0, 0, 1e6, time.UTC),
		time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(0, 0),
		time.Unix(-5, 0),
	}
	lastKey := ""
	for _, when := range latestFirst {
		key := p.Key(values, when, keypattern.Random{}, ".png")
		require.True(t, p.Matches(key, values), key)
		require.LessOrEqual(t, lastKey, key, when)
		lastKey = key
	}
	require.Empty(t, p.ID(lastKey), "no record has such an ID")
}

// Check refuses values that are missing, that are not in the pattern, or that are unsafe in a key.
func TestPatternRefusesUnsafeValues(t *testing.T) {
	p, rule := keypattern.Parse("users/{user}/{random}{ext}")
	require.Empty(t, rule)
	tests := []struct {
		name   string
		values map[string]string
		field  string
	}{
		{name: "none", values: nil, field: "user"},
		{name: "an empty one", values: map[string]string{"user": ""}, field: "user"},
		{name: "one that has no place", values: map[string]string{"user": "1", "folder": "x"}, field: "folder"},
		{name: "one of ours", values: map[string]string{"user": "1", "random": "mine"}, field: "random"},
		{name: "a path", values: map[string]string{"user": "1/2"}, field: "user"},
		{name: "a path above", values: map[string]string{"user": ".."}, field: "user"},
		{name: "a point first", values: map[string]string{"user": ".git"}, field: "user"},
		{name: "a point last", values: map[string]string{"user": "a."}, field: "user"},
		{name: "a backslash", values: map[string]string{"user": `a\b`}, field: "user"},
		{name: "a percent sign", values: map[string]string{"user": "%2e"}, field: "user"},
		{name: "a space", values: map[string]string{"user": "a b"}, field: "user"},
		{name: "a control character", values: map[string]string{"user": "a\n"}, field: "user"},
		{name: "a letter that looks like one", values: map[string]string{"user": "раypal"}, field: "user"},
		{name: "invalid UTF-8", values: map[string]string{"user": "\xff"}, field: "user"},
		{name: "a long one", values: map[string]string{"user": strings.Repeat("a", 129)}, field: "user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, flaw := p.Check(tt.values)
			require.NotEmpty(t, flaw)
			require.Equal(t, tt.field, name)
		})
	}
}

// A pattern matches only keys that it could have made itself.
func TestPatternRefusesOtherKeys(t *testing.T) {
	p, rule := keypattern.Parse("users/{user}/{yyyy}/{random}{ext}")
	require.Empty(t, rule)
	values := map[string]string{"user": "4"}
	key := p.Key(values, time.Now(), keypattern.Random{}, ".png")
	require.True(t, p.Matches(key, values))

	random := strings.Repeat("a", 26)
	tests := []struct{ name, key string }{
		{name: "nothing", key: ""},
		{name: "only the beginning", key: "users/4"},
		{name: "random text that is too short", key: "users/4/2026/" + random[1:] + ".png"},
		{name: "random text that is too long", key: "users/4/2026/" + random + "a.png"},
		{name: "another user", key: "users/42/2026/" + random + ".png"},
		{name: "a year with a letter", key: "users/4/20x6/" + random + ".png"},
		{name: "an empty extension", key: "users/4/2026/" + random + "."},
		{name: "a slash in the extension", key: "users/4/2026/" + random + ".p/g"},
		{name: "capitals in the extension", key: "users/4/2026/" + random + ".PNG"},
		{name: "an extension of a point", key: "users/4/2026/" + random + ".."},
		{name: "capitals in the random text", key: "users/4/2026/" + strings.ToUpper(random) + ".png"},
		{name: "a line break in the random text", key: "users/4/2026/" + random[2:] + "\r\n.png"},
		{name: "an extension that is too long", key: "users/4/2026/" + random + ".longerthananyextension"},
		{name: "text before a valid key", key: "x" + key},
		{name: "text after a valid key", key: key + "/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.False(t, p.Matches(tt.key, values), "%q", tt.key)
		})
	}
}

// A pattern whose keys sort like their IDs finds the ID in a key, and any other pattern does not.
func TestPatternIDsOfOrderedKeys(t *testing.T) {
	tests := []struct {
		text    string
		ordered bool
	}{
		{text: "files/{id}{ext}", ordered: true},
		{text: "{id}", ordered: true},
		{text: "files/{yyyy}/{id}{ext}"},
		{text: "users/{user}/{id}{ext}"},
		{text: "files/{random}{ext}"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			p, rule := keypattern.Parse(tt.text)
			require.Empty(t, rule)

			prefix, ordered := p.Ordered()
			require.Equal(t, tt.ordered, ordered)
			when := time.Unix(1e9, 0)
			key := p.Key(map[string]string{"user": "4"}, when, keypattern.Random{1}, ".png")
			require.Empty(t, p.ID("x"+key))

			if !ordered {
				require.Empty(t, p.ID(key))
				return
			}
			require.Equal(t, timeid.New(when, keypattern.Random{1}), p.ID(key))
			require.True(t, strings.HasPrefix(key, prefix+p.ID(key)))
		})
	}

	_, rule := keypattern.Parse("files/{id}/{ext}")
	require.Contains(t, rule, "{ext}", "the extension must follow the ID")
}

// No two sets of values can make one key, so that no user can delete another's file.
func FuzzAKeyBelongsToOneSetOfValues(f *testing.F) {
	f.Add("1", "23", "12", "3")
	f.Add("a-b", "c", "a", "b-c")
	f.Add("2026", "x", "20262026", "x")

	p, rule := keypattern.Parse("{a}-{yyyy}/{mm}{b}/{random}{ext}")
	require.Empty(f, rule)
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		first := map[string]string{"a": a, "b": b}
		second := map[string]string{"a": c, "b": d}
		_, firstFlaw := p.Check(first)
		_, secondFlaw := p.Check(second)
		if firstFlaw != "" || secondFlaw != "" {
			// No key can have such values.
			return
		}

		key := p.Key(first, time.Unix(1e9, 0), keypattern.Random{1, 2, 3}, ".jpg")
		require.True(t, p.Matches(key, first))
		require.Equal(t, a == c && b == d, p.Matches(key, second))
	})
}
