package uploads

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInvalidPatterns(t *testing.T) {
	for _, row := range []struct{ name, pattern, rule string }{
		{"nothing", "", "must have {random}"},
		{"nothing that is unique", "users/{user}{ext}", "must have {random}"},
		{"random twice", "{random}/{random}", "twice"},
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
		{"more than a key holds", "{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{random}", "1,024 bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, rule := parsePattern(row.pattern)
			require.Contains(t, rule, row.rule)
		})
	}
}

func TestPatternIsFilled(t *testing.T) {
	at := time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("east", 2*60*60))
	p, rule := parsePattern("users/{user}/{kind}-{yyyy}.{mm}.{dd}/x{random}{ext}")
	require.Empty(t, rule)
	v := values{"user": "a.B_c-1", "kind": "avatar"}
	require.Nil(t, p.check(v))
	key := p.key(v, at, [randomBytes]byte{0: 0xFF, 15: 1}, ".jpg")
	require.Equal(t, "users/a.B_c-1/avatar-2025.12.31/x74aaaaaaaaaaaaaaaaaaaaaaae.jpg", key)
	require.True(t, p.matches(key, v))
	require.True(t, p.matches(strings.TrimSuffix(key, ".jpg"), v), "a type without an extension")
}

func TestValuesThatAreUnsafe(t *testing.T) {
	p, rule := parsePattern("users/{user}/{random}{ext}")
	require.Empty(t, rule)
	for _, row := range []struct {
		name   string
		values values
		field  string
	}{
		{"none", nil, "user"},
		{"an empty one", values{"user": ""}, "user"},
		{"one that has no place", values{"user": "1", "folder": "x"}, "folder"},
		{"one of ours", values{"user": "1", "random": "mine"}, "random"},
		{"a path", values{"user": "1/2"}, "user"},
		{"a path above", values{"user": ".."}, "user"},
		{"a point first", values{"user": ".git"}, "user"},
		{"a point last", values{"user": "a."}, "user"},
		{"a backslash", values{"user": `a\b`}, "user"},
		{"a percent sign", values{"user": "%2e"}, "user"},
		{"a space", values{"user": "a b"}, "user"},
		{"a control character", values{"user": "a\n"}, "user"},
		{"a letter that looks like one", values{"user": "раypal"}, "user"},
		{"invalid UTF-8", values{"user": "\xff"}, "user"},
		{"a long one", values{"user": strings.Repeat("a", 129)}, "user"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := p.check(row.values)
			require.NotNil(t, e)
			require.Equal(t, InvalidValue, e.Code)
			require.Equal(t, row.field, e.Field)
		})
	}
}

func TestKeysThatThePatternDidNotMake(t *testing.T) {
	p, rule := parsePattern("users/{user}/{yyyy}/{random}{ext}")
	require.Empty(t, rule)
	v := values{"user": "4"}
	key := p.key(v, time.Now(), [randomBytes]byte{}, ".png")
	require.True(t, p.matches(key, v))
	random := strings.Repeat("a", 26)
	for _, other := range []string{
		"", "users/4", "users/4/2026/" + random[1:] + ".png", "users/4/2026/" + random + "a.png",
		"users/42/2026/" + random + ".png", "users/4/20x6/" + random + ".png", "users/4/2026/" + random + ".",
		"users/4/2026/" + random + ".p/g", "users/4/2026/" + random + ".PNG", "users/4/2026/" + random + "..",
		"users/4/2026/" + strings.ToUpper(random) + ".png", "users/4/2026/" + random[2:] + "\r\n.png",
		"users/4/2026/" + random + ".longerthananyextension", "x" + key, key + "/x",
	} {
		require.False(t, p.matches(other, v), "%q", other)
	}
}

// No two sets of values can make one key, so that no user can delete another's file.
func FuzzAKeyBelongsToOneSetOfValues(f *testing.F) {
	f.Add("1", "23", "12", "3")
	f.Add("a-b", "c", "a", "b-c")
	f.Add("2026", "x", "20262026", "x")
	p, rule := parsePattern("{a}-{yyyy}/{mm}{b}/{random}{ext}")
	require.Empty(f, rule)
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		first, second := values{"a": a, "b": b}, values{"a": c, "b": d}
		if p.check(first) != nil || p.check(second) != nil {
			return
		}
		key := p.key(first, time.Unix(1e9, 0), [randomBytes]byte{1, 2, 3}, ".jpg")
		require.True(t, p.matches(key, first))
		require.Equal(t, a == c && b == d, p.matches(key, second))
	})
}
