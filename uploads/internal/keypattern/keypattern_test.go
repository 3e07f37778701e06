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
		name     string
		pattern  string
		wantRule string // part of the rule that the pattern breaks
	}{
		{name: "empty", pattern: "", wantRule: "must have {random}"},
		{name: "no unique value", pattern: "users/{user}{ext}", wantRule: "must have {random}"},
		{name: "random twice", pattern: "{random}/{random}", wantRule: "twice"},
		{name: "two unique names", pattern: "{newest}/{id}", wantRule: "twice"},
		{name: "a value twice", pattern: "{user}/{user}/{random}", wantRule: "{user} twice"},
		{name: "a brace that stays open", pattern: "a/{random", wantRule: "not a name in braces"},
		{name: "a name in capitals", pattern: "{User}/{random}", wantRule: "not a name in braces"},
		{name: "no name", pattern: "{}/{random}", wantRule: "not a name in braces"},
		{name: "two values in a segment", pattern: "{a}-{b}/{random}", wantRule: "two values"},
		{name: "an extension in the middle", pattern: "{random}{ext}/x", wantRule: "{ext}"},
		{name: "an extension after a value", pattern: "{random}/{user}{ext}", wantRule: "{ext}"},
		{name: "a slash at the beginning", pattern: "/{random}", wantRule: "segment"},
		{name: "a slash at the end", pattern: "{random}/", wantRule: "segment"},
		{name: "an empty segment", pattern: "a//{random}", wantRule: "segment"},
		{name: "a segment above", pattern: "../{random}", wantRule: "segment"},
		{name: "a point at a segment's end", pattern: "a./{random}", wantRule: "segment"},
		{name: "a space", pattern: "my files/{random}", wantRule: "allowed outside braces"},
		{name: "a backslash", pattern: `a\{random}`, wantRule: "allowed outside braces"},
		{name: "a control character", pattern: "a\x00/{random}", wantRule: "allowed outside braces"},
		{name: "invalid UTF-8", pattern: "\xff/{random}", wantRule: "allowed outside braces"},
		{name: "more than a key holds", pattern: "{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{random}", wantRule: "1,024 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, rule := keypattern.Parse(tt.pattern)
			require.Contains(t, rule, tt.wantRule)
		})
	}
}

// Key fills a pattern with values, the date in UTC, random letters and an extension, and Matches recognizes the result.
func TestPatternIsFilled(t *testing.T) {
	when := time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("east", 2*60*60))
	pattern, rule := keypattern.Parse("users/{user}/{kind}-{yyyy}.{mm}.{dd}/x{random}{ext}")
	require.Empty(t, rule)

	values := map[string]string{"user": "a.B_c-1", "kind": "avatar"}
	_, flaw := pattern.Check(values)
	require.Empty(t, flaw)

	key := pattern.Key(values, when, keypattern.Random{0: 0xFF, 15: 1}, ".jpg")
	// In UTC, it is still the last day of 2025. The random bytes are in Base32.
	require.Equal(t, "users/a.B_c-1/avatar-2025.12.31/x74aaaaaaaaaaaaaaaaaaaaaaae.jpg", key)
	require.True(t, pattern.Matches(key, values))
	withoutExtension := strings.TrimSuffix(key, ".jpg")
	require.True(t, pattern.Matches(withoutExtension, values))
}

// Keys with {newest} sort in the reverse order of their times.
func TestNewestSortsLaterTimesFirst(t *testing.T) {
	pattern, rule := keypattern.Parse("users/{user}/{newest}{ext}")
	require.Empty(t, rule)

	values := map[string]string{"user": "7"}
	latestFirst := []time.Time{
		time.Unix(1<<40, 0),
		// The next two times differ by a millisecond.
		time.Date(2026, 11, 29, 0, 0, 0, 2e6, time.UTC),
		time.Date(2026, 11, 29, 0, 0, 0, 1e6, time.UTC),
		time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(0, 0),
		time.Unix(-5, 0),
	}

	// The keys of these times are in ascending order, so the latest time has the first key.
	lastKey := ""
	for _, when := range latestFirst {
		key := pattern.Key(values, when, keypattern.Random{}, ".png")
		require.True(t, pattern.Matches(key, values), key)
		require.LessOrEqual(t, lastKey, key, when)
		lastKey = key
	}

	// Keys sort by their IDs only if their pattern has {id}.
	_, isOrdered := pattern.Ordered()
	require.False(t, isOrdered)
	require.Empty(t, pattern.ID(lastKey))
}

// Check refuses missing values, values that the pattern does not use, and values that are unsafe in
// a key.
func TestPatternRefusesUnsafeValues(t *testing.T) {
	pattern, rule := keypattern.Parse("users/{user}/{random}{ext}")
	require.Empty(t, rule)
	tests := []struct {
		name      string
		values    map[string]string
		wantField string // name of the value that is refused
	}{
		{name: "value missing", values: nil, wantField: "user"},
		{name: "empty value", values: map[string]string{"user": ""}, wantField: "user"},
		{
			name:      "value that the pattern lacks",
			values:    map[string]string{"user": "1", "folder": "x"},
			wantField: "folder",
		},
		{name: "value for random", values: map[string]string{"user": "1", "random": "mine"}, wantField: "random"},
		{name: "a path", values: map[string]string{"user": "1/2"}, wantField: "user"},
		{name: "a path above", values: map[string]string{"user": ".."}, wantField: "user"},
		{name: "a point at the start", values: map[string]string{"user": ".git"}, wantField: "user"},
		{name: "a point at the end", values: map[string]string{"user": "a."}, wantField: "user"},
		{name: "a backslash", values: map[string]string{"user": `a\b`}, wantField: "user"},
		{name: "a percent sign", values: map[string]string{"user": "%2e"}, wantField: "user"},
		{name: "a space", values: map[string]string{"user": "a b"}, wantField: "user"},
		{name: "a control character", values: map[string]string{"user": "a\n"}, wantField: "user"},
		{name: "a Cyrillic letter", values: map[string]string{"user": "раypal"}, wantField: "user"},
		{name: "invalid UTF-8", values: map[string]string{"user": "\xff"}, wantField: "user"},
		{name: "129 letters", values: map[string]string{"user": strings.Repeat("a", 129)}, wantField: "user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, flaw := pattern.Check(tt.values)
			require.NotEmpty(t, flaw)
			require.Equal(t, tt.wantField, name)
		})
	}
}

// A pattern matches only keys that it could have made itself.
func TestPatternRefusesOtherKeys(t *testing.T) {
	pattern, rule := keypattern.Parse("users/{user}/{yyyy}/{random}{ext}")
	require.Empty(t, rule)
	values := map[string]string{"user": "4"}

	// The pattern matches its own key.
	key := pattern.Key(values, time.Now(), keypattern.Random{}, ".png")
	require.True(t, pattern.Matches(key, values))

	random := strings.Repeat("a", 26)
	tests := []struct {
		name string
		key  string
	}{
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
			require.False(t, pattern.Matches(tt.key, values), "%q", tt.key)
		})
	}
}

// A pattern whose keys sort like their IDs finds the ID in a key, and any other pattern does not.
func TestPatternIDsOfOrderedKeys(t *testing.T) {
	tests := []struct {
		text      string
		isOrdered bool
	}{
		{text: "files/{id}{ext}", isOrdered: true},
		{text: "{id}", isOrdered: true},
		{text: "files/{yyyy}/{id}{ext}"},
		{text: "users/{user}/{id}{ext}"},
		{text: "files/{random}{ext}"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			pattern, brokenRule := keypattern.Parse(tt.text)
			require.Empty(t, brokenRule)
			prefix, isOrdered := pattern.Ordered()
			require.Equal(t, tt.isOrdered, isOrdered)

			// An ID consists of a time and random bytes.
			when := time.Unix(1e9, 0)
			random := keypattern.Random{1}
			key := pattern.Key(map[string]string{"user": "4"}, when, random, ".png")
			require.Empty(t, pattern.ID("x"+key), "the key of another pattern")

			// If keys do not sort by their IDs, no ID is found in a key.
			if !isOrdered {
				require.Empty(t, pattern.ID(key))
				return
			}
			id := timeid.New(when, random)
			require.Equal(t, id, pattern.ID(key))
			require.True(t, strings.HasPrefix(key, prefix+id))
		})
	}
}

// A pattern with a folder between ID and extension is invalid.
func TestParseFolderAfterID(t *testing.T) {
	_, brokenRule := keypattern.Parse("files/{id}/{ext}")
	require.Contains(t, brokenRule, "{ext}")
}

// Two different sets of values never make the same key. Otherwise, a user could delete the file of
// another user.
func FuzzAKeyBelongsToOneSetOfValues(f *testing.F) {
	f.Add("1", "23", "12", "3")
	f.Add("a-b", "c", "a", "b-c")
	f.Add("2026", "x", "20262026", "x")

	pattern, rule := keypattern.Parse("{a}-{yyyy}/{mm}{b}/{random}{ext}")
	require.Empty(f, rule)
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		first := map[string]string{"a": a, "b": b}
		second := map[string]string{"a": c, "b": d}
		_, firstFlaw := pattern.Check(first)
		_, secondFlaw := pattern.Check(second)
		if firstFlaw != "" || secondFlaw != "" {
			// The values are invalid, so there is no key with them.
			return
		}

		key := pattern.Key(first, time.Unix(1e9, 0), keypattern.Random{1, 2, 3}, ".jpg")
		require.True(t, pattern.Matches(key, first))
		require.Equal(t, a == c && b == d, pattern.Matches(key, second))
	})
}
