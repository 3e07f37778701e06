package storagetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// badKeys are keys that break rule K1, which says which keys are valid. Each key breaks the rule in
// a different way.
var badKeys = []struct{ why, key string }{
	{"empty", ""},
	{"1,025 bytes", strings.Repeat("k", 1025)},
	{"invalid UTF-8", "a\xff"},
	{"NUL", "a\x00b"},
	{"a control character", "a\nb"},
	{"DEL", "a\x7fb"},
	{"a backslash", `a\b`},
	{"U+FFFE", "a\uFFFE"},
	{"U+FFFF", "a\uFFFF"},
	{"a leading slash", "/x"},
	{"a trailing slash", "a/"},
	{"a slash", "/"},
	{"an empty segment", "a//b"},
	{"a dot", "."},
	{"two dots", ".."},
	{"a parent first", "../x"},
	{"a parent within", "a/../b"},
	{"a parent last", "a/.."},
	{"a dot segment", "a/./b"},
	{"a last dot", "a."},
	{"a segment's last dot", "a./b"},
	{"255 segments", strings.Repeat("s/", 254) + "s"},
}

// deepKey has 254 segments, which is the largest number that rule K1 permits.
var deepKey = strings.Repeat("s/", 253) + "s"

var keyCases = []Case{
	{
		Name:        "a key that breaks a rule is refused, before any request",
		Rule:        "K1",
		Explanation: "each call that writes or signs an upload refuses a key that some provider could not store, and the error names the rule",
		run: func(t *T) {
			b := t.open()
			t.put(b, "source", "x")
			for _, bad := range badKeys {
				refuses := func(name string, err error) {
					t.Helper()
					failure := t.requireNothingDone(err, storage.InvalidArgument)
					require.Contains(t, failure.Error(), "key", "%s of a key with %s", name, bad.why)
				}
				t.requireNoRequests(func() {
					_, err := b.Upload(t.Context(), bad.key, strings.NewReader("x"))
					refuses("Upload", err)
					_, err = b.Upload(t.Context(), bad.key, stream("x"))
					refuses("Upload of a stream", err)
					w := storage.NewWriter(t.Context(), b, bad.key)
					_, _ = w.Write([]byte("x"))
					_, err = w.Commit()
					refuses("Commit", err)
					require.NoError(t, w.Close())
					if t.has(storage.SignedURLs) {
						_, err = b.SignedUploadURL(t.Context(), bad.key)
						refuses("SignedUploadURL", err)
					}
				})
				_, err := storage.Copy(t.Context(), b, bad.key, b, "source")
				refuses("Copy", err)
				_, err = storage.Compose(t.Context(), b, bad.key, []string{"source"})
				refuses("Compose", err)
			}
			require.Equal(t, []string{"source"}, t.keys(b))
		},
	},
	{
		Name:        "reads accept keys that uploads refuse",
		Rule:        "K2",
		Explanation: "objects of other writers are reachable: a key that only rule K1 refuses is looked up, and is missing",
		run: func(t *T) {
			b := t.open()
			for _, key := range []string{"folder/", "a."} {
				_, err := b.Attrs(t.Context(), key)
				t.requireCode(err, storage.ObjectNotFound)
				_, err = b.Download(t.Context(), key)
				t.requireCode(err, storage.ObjectNotFound)
				t.requireMissing(b, key)
				require.NoError(t, b.Remove(t.Context(), key))
			}
		},
	},
	{
		Name:        "reads accept empty segments",
		Rule:        "K2",
		Explanation: "another program may have written the key a//b",
		run: func(t *T) {
			b := t.open()
			_, err := b.Attrs(t.Context(), "a//b")
			t.requireCode(err, storage.ObjectNotFound)
			require.NoError(t, b.Remove(t.Context(), "a//b"))
		},
	},
	{
		Name:        "reads and removals refuse dot segments",
		Rule:        "K2",
		Explanation: "a key with a . or .. segment, an empty key or an endless one is refused without a request",
		run: func(t *T) {
			b := t.open()
			for _, key := range []string{"", ".", "..", "../x", "a/../b", "a/./b", "a/..", strings.Repeat("k", 1025), "a\xff"} {
				t.requireNoRequests(func() {
					_, err := b.Attrs(t.Context(), key)
					t.requireCode(err, storage.InvalidArgument)
					_, err = b.Exists(t.Context(), key)
					t.requireCode(err, storage.InvalidArgument)
					_, err = b.Download(t.Context(), key)
					t.requireCode(err, storage.InvalidArgument)
					t.requireNothingDone(b.Remove(t.Context(), key), storage.InvalidArgument)
				})
			}
		},
	},
	{
		Name:        "a key and keys below it coexist",
		Rule:        "K3",
		Explanation: "a and a/b are two objects, in whichever order they are written and removed",
		Needs:       storage.KeysBesideFolders,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "a/b", "c/d", "c")
			require.Equal(t, []string{"a", "a/b", "c", "c/d"}, t.keys(b))
			for _, key := range []string{"a", "a/b", "c", "c/d"} {
				t.requireContent(b, key, key)
			}
			require.NoError(t, b.Remove(t.Context(), "a"))
			t.requireMissing(b, "a")
			t.requireContent(b, "a/b", "a/b")
			require.NoError(t, b.Remove(t.Context(), "c/d"))
			t.requireMissing(b, "c/d")
			t.requireContent(b, "c", "c")
			require.Equal(t, []string{"a/b", "c"}, t.keys(b))
		},
	},
	{
		Name:        "upper and lower case are two objects",
		Rule:        "K3",
		Explanation: "A and a are two keys, also if the disk ignores case",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "A", "dir/x", "Dir/x")
			require.Equal(t, []string{"A", "Dir/x", "a", "dir/x"}, t.keys(b))
			for _, key := range []string{"a", "A", "dir/x", "Dir/x"} {
				t.requireContent(b, key, key)
			}
			require.NoError(t, b.Remove(t.Context(), "A"))
			t.requireContent(b, "a", "a")
		},
	},
	{
		Name:        "composed and decomposed letters are two objects",
		Rule:        "K3",
		Explanation: "keys are bytes: é as one code point and as two are different keys",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "caf\u00e9", "cafe\u0301")
			require.Equal(t, []string{"cafe\u0301", "caf\u00e9"}, t.keys(b))
			t.requireContent(b, "caf\u00e9", "caf\u00e9")
			t.requireContent(b, "cafe\u0301", "cafe\u0301")
		},
	},
}

// hostileKeys are valid keys that cause errors in code that uses a key as a path or URL without
// escaping.
var hostileKeys = []struct{ why, key string }{
	{"a space", "a key with  spaces"},
	{"a leading space", " a/ b"},
	{"a plus", "a+b"},
	{"a percent sign", "100%"},
	{"a percent escape", "a%2Fb%20c%00"},
	{"a question mark", "a?b=c"},
	{"a hash", "a#b"},
	{"an ampersand and an equals sign", "a&b=c;d"},
	{"quotes", `a"b'c`},
	{"angle brackets", "<a>&amp;</a>"},
	{"a star, colon and pipe", "a*b:c|d"},
	{"tilde and parentheses", "~a(b)!$,@[c]{d}^`"},
	{"accents", "\u00e9t\u00e9/\u00fcber"},
	{"an emoji", "\U0001F600/\U0001F680.png"},
	{"a scheme", "http:/example"},
	{"hidden names", ".hidden/.b/...c"},
	{"a device's name", "con/aux.txt/nul"},
	{"a tilde at the end", "a~/b~"},
	{"a segment of 300 bytes", strings.Repeat("s", 300) + "/x"},
	{"1,024 bytes", strings.Repeat("k", 1024)},
	{"1,024 bytes in many segments", strings.Repeat("abcdefg/", 127) + "abcdefgh"},
	{"254 segments", deepKey},
	{"names of temporary files", ".tmp-1/x.tmp/.omnibucket/y"},
}

// roundTripCases returns a case for each hostile key.
func roundTripCases() []Case {
	cases := make([]Case, len(hostileKeys))
	for i, hostile := range hostileKeys {
		cases[i] = Case{
			Name:        "a key with " + hostile.why + " round-trips",
			Rule:        "K3",
			Needs:       keyNeeds(hostile.key),
			Explanation: fmt.Sprintf("the key %.60q is the same in every operation", hostile.key),
			run: func(t *T) {
				roundTrip(t, hostile.key)
			},
		}
	}
	return cases
}

// roundTrip requires that every operation on an object uses exactly this key.
func roundTrip(t *T, key string) {
	b := t.open()
	require.Equal(t, key, t.put(b, key, "content").Key)

	// Listings and reads.
	require.Equal(t, []string{key}, t.keys(b))
	require.Equal(t, []string{key}, t.keys(b, storage.WithPrefix(key)))
	if t.has(storage.OrderedListing) {
		require.Empty(t, t.keys(b, storage.WithStartAfter(key)))
	}
	require.Equal(t, key, t.attrs(b, key).Key)
	t.requireExists(b, key)
	t.requireContent(b, key, "content")

	// The key is that of the source of a copy, of a removed object, and of a copy.
	attrs, err := storage.Copy(t.Context(), b, "copy", b, key)
	require.NoError(t, err)
	require.Equal(t, "copy", attrs.Key)
	require.NoError(t, b.Remove(t.Context(), key))
	t.requireMissing(b, key)
	_, err = storage.Copy(t.Context(), b, key, b, "copy")
	require.NoError(t, err)
	t.requireContent(b, key, "content")

	// A nil function matches all objects.
	removed, err := storage.RemoveMatching(t.Context(), b, nil)
	require.NoError(t, err)
	require.Equal(t, 2, removed)
	require.Empty(t, t.keys(b))
}

var orderCases = []Case{
	{
		Name:        "keys are in byte order",
		Rule:        "K4",
		Explanation: "a-b < a/b < a0: keys are ordered by the bytes of their UTF-8, not by path segments, code units or letters",
		Needs:       storage.KeysBesideFolders | storage.OrderedListing,
		run: func(t *T) {
			b := t.open()
			want := []string{"B", "a", "a-b", "a/b", "a/b/c", "a0", "b", "\u00e9", "\u4e16", "\uffee", "\U0001F600"}
			for _, key := range slices.Backward(want) {
				t.put(b, key, "")
			}
			require.Equal(t, want, t.keys(b))
			require.Equal(t, want, t.keys(b, storage.WithPageSize(1)), "across pages of one")
			require.Equal(t, want, t.keys(b, storage.WithPageSize(3)), "across pages of three")
		},
	},
	{
		Name:        "common prefixes are listed among the keys",
		Rule:        "K4",
		Explanation: "a common prefix is listed at its place, on every page",
		Needs:       storage.KeysBesideFolders | storage.OrderedListing,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "a-b", "a/b", "a/c/d", "a0", "b/x", "c")
			want := []string{"a", "a-b", ">a/", "a0", ">b/", "c"}
			for _, size := range []int{1, 2, 3, 100} {
				require.Equal(t, want, t.keys(b, storage.WithDelimiter("/"), storage.WithPageSize(size)), "pages of %d", size)
			}
		},
	},
}

var leadingSlashCases = []Case{
	{
		Name:        "a key that begins with a slash is another key",
		Rule:        "K2",
		Needs:       storage.LeadingSlashes,
		Explanation: "MinIO takes /key for key: a removal would remove another object",
		run: func(t *T) {
			b := t.open()
			t.put(b, "key", "x")
			for name, err := range leadingSlashCalls(t, b) {
				if strings.HasPrefix(name, "Remove") || strings.HasPrefix(name, "List") {
					require.NoError(t, err, name)
					continue
				}
				require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "%s: %v", name, err)
			}
			exists, err := b.Exists(t.Context(), "/key")
			require.NoError(t, err)
			require.False(t, exists)
			require.Equal(t, []string{"key"}, t.keys(b))
			require.Empty(t, t.keys(b, storage.WithPrefix("/k")))
		},
	},
}

// leadingSlashesRefused makes all calls with the invalid key "/key", and returns the errors by
// name.
func leadingSlashesRefused(t *T, b storage.Bucket) map[string]error {
	errs := leadingSlashCalls(t, b)
	_, errs["Exists"] = b.Exists(t.Context(), "/key")
	if storage.Supports(b, storage.SignedURLs) {
		_, errs["SignedDownloadURL"] = b.SignedDownloadURL(t.Context(), "/key")
	}
	return errs
}

// leadingSlashCalls makes calls with the invalid key "/key" while the object "key" exists, and
// returns the errors by name.
func leadingSlashCalls(t *T, b storage.Bucket) map[string]error {
	errs := map[string]error{}
	_, errs["Attrs"] = b.Attrs(t.Context(), "/key")
	_, errs["Download"] = b.Download(t.Context(), "/key")
	_, errs["Copy"] = storage.Copy(t.Context(), b, "new", b, "/key")
	_, errs["Compose"] = storage.Compose(t.Context(), b, "new", []string{"/key"})
	errs["Remove"] = b.Remove(t.Context(), "/key")
	_, errs["RemoveAll"] = storage.RemoveAll(t.Context(), b, slices.Values([]string{"/key"}))
	for _, err := range b.List(t.Context(), t.anyOrder(storage.WithPrefix("/"))...) {
		errs["List"] = err
	}
	return errs
}
