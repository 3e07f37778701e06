package keypattern_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// Parse refuses invalid patterns.
func TestParseRefusesPatterns(t *testing.T) {
	tests := []struct{ name, pattern, rule string }{
		{"nothing", "", "must have {random}"},
		{"nothing that is unique", "users/{user}{ext}", "must have {random}"},
		{"random twice", "{random}/{random}", "twice"},
		{"two unique names", "{newest}/{id}", "twice"},
		{"a value twice", "{user}/{user}/{random}", "{user} twice"},
		{"a brace that stays open", "a/{random", "not a name in braces"},
		{"a name that is none", "{User}/{random}", "not a name in braces"},
		{"no name", "{}/{random}", "not a name in braces"},
		{"two values in a segment", "{a}-{b}/{random}", "two values"},
		{"an extension in the middle", "{random}{ext}/x", "{ext}"},
		{"an extension after a value", "{random}/{user}{ext}", "{ext}"},
		{"a slash at the beginning", "/{random}", "segment"},
		{"a slash at the end", "{random}/", "segment"},
		{"an empty segment", "a//{random}", "segment"},
		{"a segment above", "../{random}", "segment"},
		{"a point at a segment's end", "a./{random}", "segment"},
		{"a space", "my files/{random}", "allowed outside braces"},
		{"a backslash", `a\{random}`, "allowed outside braces"},
		{"a control character", "a\x00/{random}", "allowed outside braces"},
		{"invalid UTF-8", "\xff/{random}", "allowed outside braces"},
		{"more than a key holds", "{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{random}", "1,024 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, rule := keypattern.Parse(tt.pattern)
			require.Contains(t, rule, tt.rule)
		})
	}
}

// Key fills a pattern with values, the date in UTC, random letters and an extension. Matches recognizes the result.
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
	lastID := ""
	for _, when := range []time.Time{
		time.Unix(1<<40, 0),
		time.Date(2026, 11, 29, 0, 0, 0, 2e6, time.UTC), time.Date(2026, 11, 29, 0, 0, 0, 1e6, time.UTC),
		time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0), time.Unix(-5, 0),
	} {
		key := p.Key(values, when, keypattern.Random{}, ".png")
		require.True(t, p.Matches(key, values), key)
		require.LessOrEqual(t, lastID, key, when)
		lastID = key
	}
	require.Empty(t, p.ID(lastID), "no record has such an ID")
}

// The pattern refuses values that are unsafe in a key.
func TestPatternRefusesUnsafeValues(t *testing.T) {
	p, rule := keypattern.Parse("users/{user}/{random}{ext}")
	require.Empty(t, rule)
	tests := []struct {
		name   string
		values map[string]string
		field  string
	}{
		{"none", nil, "user"},
		{"an empty one", map[string]string{"user": ""}, "user"},
		{"one that has no place", map[string]string{"user": "1", "folder": "x"}, "folder"},
		{"one of ours", map[string]string{"user": "1", "random": "mine"}, "random"},
		{"a path", map[string]string{"user": "1/2"}, "user"},
		{"a path above", map[string]string{"user": ".."}, "user"},
		{"a point first", map[string]string{"user": ".git"}, "user"},
		{"a point last", map[string]string{"user": "a."}, "user"},
		{"a backslash", map[string]string{"user": `a\b`}, "user"},
		{"a percent sign", map[string]string{"user": "%2e"}, "user"},
		{"a space", map[string]string{"user": "a b"}, "user"},
		{"a control character", map[string]string{"user": "a\n"}, "user"},
		{"a letter that looks like one", map[string]string{"user": "раypal"}, "user"},
		{"invalid UTF-8", map[string]string{"user": "\xff"}, "user"},
		{"a long one", map[string]string{"user": strings.Repeat("a", 129)}, "user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, flaw := p.Check(tt.values)
			require.NotEmpty(t, flaw)
			require.Equal(t, tt.field, name)
		})
	}
}

// The pattern recognizes only keys that it could have made itself.
func TestPatternRefusesOtherKeys(t *testing.T) {
	p, rule := keypattern.Parse("users/{user}/{yyyy}/{random}{ext}")
	require.Empty(t, rule)
	v := map[string]string{"user": "4"}
	key := p.Key(v, time.Now(), keypattern.Random{}, ".png")
	require.True(t, p.Matches(key, v))

	random := strings.Repeat("a", 26)
	for _, other := range []string{
		"", "users/4", "users/4/2026/" + random[1:] + ".png", "users/4/2026/" + random + "a.png",
		"users/42/2026/" + random + ".png", "users/4/20x6/" + random + ".png", "users/4/2026/" + random + ".",
		"users/4/2026/" + random + ".p/g", "users/4/2026/" + random + ".PNG", "users/4/2026/" + random + "..",
		"users/4/2026/" + strings.ToUpper(random) + ".png", "users/4/2026/" + random[2:] + "\r\n.png",
		"users/4/2026/" + random + ".longerthananyextension", "x" + key, key + "/x",
	} {
		require.False(t, p.Matches(other, v), "%q", other)
	}
}

// Only some patterns make keys that sort like their IDs.
func TestPatternIDsOfOrderedKeys(t *testing.T) {
	tests := []struct {
		text    string
		ordered bool
	}{
		{"files/{id}{ext}", true},
		{"{id}", true},
		{"files/{id}/{ext}", false},
		{"files/{yyyy}/{id}{ext}", false},
		{"users/{user}/{id}{ext}", false},
		{"files/{random}{ext}", false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			p, rule := keypattern.Parse(tt.text)
			if rule != "" {
				return
			}

			id, ordered := p.Ordered()
			require.Equal(t, tt.ordered, ordered)
			when := time.Unix(1e9, 0)
			key := p.Key(map[string]string{"user": "4"}, when, keypattern.Random{1}, ".png")
			require.Empty(t, p.ID("x"+key))

			if !ordered {
				require.Empty(t, p.ID(key))
				return
			}
			require.Equal(t, timeid.New(when, keypattern.Random{1}), p.ID(key))
			require.True(t, strings.HasPrefix(key, id+p.ID(key)))
		})
	}
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
		_, flaw := p.Check(first)
		_, other := p.Check(second)
		if flaw != "" || other != "" {
			return
		}

		key := p.Key(first, time.Unix(1e9, 0), keypattern.Random{1, 2, 3}, ".jpg")
		require.True(t, p.Matches(key, first))
		require.Equal(t, a == c && b == d, p.Matches(key, second))
	})
}
