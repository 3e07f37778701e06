package storagetest

import (
	"fmt"
	"maps"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// widestTags are tags with the longest and most unusual keys and values that the rules permit.
var widestTags = map[string]string{
	"plain":                  "value",
	"two words":              "a value",
	"signs +-.:=_":           "0+-.:=_",
	"Case":                   "Upper",
	"case":                   "lower",
	strings.Repeat("k", 128): strings.Repeat("v", 256),
	"equals=":                "a=b=c",
	"plus+":                  "1+1",
	"0":                      "0",
	"0 1 2":                  "3",
}

var tagCases = []Case{
	{
		Name:        "tags come back as they were given",
		Rule:        "G1",
		Explanation: "Tags returns what WithTags gave, of every way to write, and Attrs counts them",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			for path, b := range map[string]storage.Bucket{"whole": t.open(), "in parts": t.openForPartsOrWhole()} {
				for name, body := range map[string]string{"short": "x", "long": body(3*t.unit, 1), "empty": ""} {
					attrs, err := b.Upload(t.Context(), name, strings.NewReader(body), storage.WithTags(widestTags))
					require.NoError(t, err, "%s, %s", path, name)
					require.Equal(t, len(widestTags), attrs.TagCount)
					t.requireTags(b, name, widestTags)
					attrs, err = b.Upload(t.Context(), "stream", stream(body), storage.WithTags(widestTags))
					require.NoError(t, err, "%s, %s", path, name)
					require.Equal(t, len(widestTags), attrs.TagCount)
					t.requireTags(b, "stream", widestTags)
				}
			}
		},
	},
	{
		Name:        "a write replaces all tags",
		Rule:        "G1",
		Explanation: "an object that is written without WithTags has none, whatever it had before",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x", storage.WithTags(map[string]string{"k": "v"}))
			t.put(b, "a", "y", storage.WithTags(map[string]string{"new": "1"}))
			t.requireTags(b, "a", map[string]string{"new": "1"})
			t.put(b, "a", "z")
			t.requireTags(b, "a", map[string]string{})
			t.put(b, "a", "z", storage.WithTags(nil))
			t.requireTags(b, "a", map[string]string{})
		},
	},
	{
		Name:        "tags change without a write",
		Rule:        "G1",
		Explanation: "SetTags replaces all tags and leaves content, attributes and revision as they are",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x", t.metadata(map[string]string{"k": "v"}), storage.WithTags(map[string]string{"old": "1"}))
			before := t.attrs(b, "a")
			for _, tags := range []map[string]string{widestTags, {"one": "1"}, {}, nil} {
				require.NoError(t, storage.SetTags(t.Context(), b, "a", tags))
				t.requireTags(b, "a", tags)
				after := t.attrs(b, "a")
				after.TagCount = before.TagCount
				require.Equal(t, before, after)
			}
			t.requireContent(b, "a", "x")
		},
	},
	{
		Name:        "tags of versions",
		Rule:        "G1",
		Explanation: "each version has tags of its own",
		Needs:       storage.ObjectTags | storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			old := t.put(b, "a", "old", storage.WithTags(map[string]string{"v": "1"}))
			t.put(b, "a", "new", storage.WithTags(map[string]string{"v": "2"}))
			tags, err := storage.Tags(t.Context(), b, "a", storage.WithVersion(old.Version))
			require.NoError(t, err)
			require.Equal(t, map[string]string{"v": "1"}, tags)
			require.NoError(t,
				storage.SetTags(t.Context(), b, "a", map[string]string{"v": "3"}, storage.WithVersion(old.Version)))
			t.requireTags(b, "a", map[string]string{"v": "2"})
			tags, err = storage.Tags(t.Context(), b, "a", storage.WithVersion(old.Version))
			require.NoError(t, err)
			require.Equal(t, map[string]string{"v": "3"}, tags)
		},
	},
	{
		Name:        "a copy keeps the tags",
		Rule:        "G2",
		Explanation: "a copy has its source's tags, inside the provider as when streamed, in one request or in parts; WithTags replaces them",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a", "text", storage.WithTags(widestTags))
				attrs, err := storage.Copy(t.Context(), b, "kept", b, "a")
				require.NoError(t, err, path)
				require.Equal(t, len(widestTags), attrs.TagCount, path)
				t.requireTags(b, "kept", widestTags)
				_, err = storage.Copy(t.Context(), b, "type", b, "a", t.contentType("text/x-new"))
				require.NoError(t, err, path)
				t.requireTags(b, "type", widestTags)
				_, err = storage.Copy(t.Context(), b, "kept", b, "a", storage.WithTags(map[string]string{"k": "v"}))
				require.NoError(t, err, path)
				t.requireTags(b, "kept", map[string]string{"k": "v"})
				_, err = storage.Copy(t.Context(), b, "kept", b, "a", storage.WithTags(nil))
				require.NoError(t, err, path)
				t.requireTags(b, "kept", map[string]string{})
				_, err = storage.Copy(t.Context(), b, "a", b, "a", storage.WithTags(map[string]string{"self": "1"}))
				require.NoError(t, err, path)
				t.requireTags(b, "a", map[string]string{"self": "1"})
			}
			src := t.open()
			dst := t.openForPartsOrWhole()
			t.put(src, "a", body(3*t.unit, 1), storage.WithTags(widestTags))
			_, err := storage.Copy(t.Context(), dst, "a", src, "a")
			require.NoError(t, err)
			t.requireTags(dst, "a", widestTags)
		},
	},
	{
		Name:        "a joined object has the tags of the options",
		Rule:        "G2",
		Explanation: "Compose takes no tags from its sources",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a", "1", storage.WithTags(map[string]string{"source": "1"}))
				t.put(b, "b", "2")
				_, err := storage.Compose(t.Context(), b, "none", []string{"a", "b"})
				require.NoError(t, err, path)
				t.requireTags(b, "none", map[string]string{})
				_, err = storage.Compose(t.Context(), b, "some", []string{"a", "b"}, storage.WithTags(widestTags))
				require.NoError(t, err, path)
				t.requireTags(b, "some", widestTags)
			}
		},
	},
	{
		Name:        "a signed upload stores its tags",
		Rule:        "G1",
		Explanation: "the tags are signed: the client cannot store the object without them or with others",
		Needs:       storage.ObjectTags | storage.SignedURLs | storage.SignedTags,
		run: func(t *T) {
			b := t.open()
			signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithTags(widestTags))
			require.NoError(t, err)
			response := t.do(signedURL, strings.NewReader("text"), nil)
			require.Less(t, response.status, 300, response.body)
			t.requireTags(b, "a", widestTags)
			signedURL, err = b.SignedUploadURL(t.Context(), "b", storage.WithTags(map[string]string{"k": "v"}))
			require.NoError(t, err)
			for name := range maps.Clone(signedURL.Header) {
				if strings.Contains(strings.ToLower(name), "tag") {
					signedURL.Header.Set(name, "k=other")
				}
			}
			response = t.do(signedURL, strings.NewReader("text"), nil)
			require.GreaterOrEqual(t, response.status, 400, response.body)
			t.requireMissing(b, "b")
		},
	},
	{
		Name:        "tags that a provider cannot hold are refused",
		Rule:        "G1",
		Explanation: "more than 10 tags, long or empty keys, long values and other characters are InvalidArgument with every provider, before any request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			many := map[string]string{}
			for i := range 11 {
				many[fmt.Sprintf("k%d", i)] = "v"
			}
			long := map[string]string{}
			for i := range 6 {
				long[fmt.Sprintf("k%d", i)] = "v" + strings.Repeat(":", 255)
			}
			for name, bad := range map[string]map[string]string{
				"11 tags":                 {"": ""},
				"an empty key":            {"": "v"},
				"an empty value":          {"k": ""},
				"a slash":                 {"k": "a/b"},
				"a leading sign":          {"_k": "v"},
				"a leading space":         {"k": " v"},
				"a trailing space":        {"k ": "v"},
				"a key of Amazon":         {"AWS:k": "v"},
				"a key of Google":         {"google.k": "v"},
				"more than 4 KiB encoded": long,
				"a key of 129":            {strings.Repeat("k", 129): "v"},
				"a value of 257":          {"k": strings.Repeat("v", 257)},
				"a comma":                 {"k": "a,b"},
				"an ampersand":            {"a&b": "v"},
				"a letter beyond ASCII":   {"k": "é"},
				"a line break":            {"k": "a\nb"},
				"NUL":                     {"k": "\x00"},
				"invalid UTF-8":           {"k": "\xff"},
				"an at sign":              {"k@": "v"},
				"a key beyond ASCII too":  {"é": "v"},
			} {
				if name == "11 tags" {
					bad = many
				}
				t.requireNoRequests(func() {
					for way, err := range writesWith(t, b, "new", storage.WithTags(bad)) {
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s, %s: %v", name, way, err)
					}
					err := storage.SetTags(t.Context(), b, "a", bad)
					require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
				})
			}
			t.requireMissing(b, "new")
		},
	},
	{
		Name:        "tags of a missing object",
		Rule:        "G1",
		Explanation: "Tags and SetTags fail with ObjectNotFound, and make nothing",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			b := t.open()
			_, err := storage.Tags(t.Context(), b, "missing")
			t.requireCode(err, storage.ObjectNotFound)
			t.requireNothingDone(storage.SetTags(t.Context(), b, "missing", map[string]string{"k": "v"}),
				storage.ObjectNotFound)
			t.requireNothingDone(storage.SetTags(t.Context(), b, "missing", nil), storage.ObjectNotFound)
			t.requireMissing(b, "missing")
		},
	},
	{
		Name:        "tags through a narrowed reference",
		Rule:        "K5",
		Explanation: "Tags needs Attrs, and SetTags Upload; a prefix is added",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			parent := t.open()
			b := storage.Prefixed(parent, "p/")
			t.put(b, "a", "x", storage.WithTags(map[string]string{"k": "v"}))
			t.requireTags(parent, "p/a", map[string]string{"k": "v"})
			require.NoError(t, storage.SetTags(t.Context(), b, "a", map[string]string{"k": "w"}))
			t.requireTags(b, "a", map[string]string{"k": "w"})
			_, err := storage.Tags(t.Context(), storage.Ref[storage.AttrsReader](parent), "p/a")
			require.NoError(t, err)
			err = storage.SetTags(t.Context(), storage.Ref[storage.Uploader](parent), "p/a", nil)
			require.NoError(t, err)
			narrow, _ := storage.Ref[storage.Downloader](parent).(storage.Bucket)
			_, err = storage.Tags(t.Context(), narrow, "p/a")
			t.requireCode(err, storage.PermissionDenied)
			t.requireCode(storage.SetTags(t.Context(), narrow, "p/a", nil), storage.PermissionDenied)
		},
	},
}

// requireTags requires that the object has exactly the tags want. A nil map means no tags.
func (t *T) requireTags(b storage.AttrsReader, key string, want map[string]string) {
	t.Helper()
	got, err := storage.Tags(t.Context(), b, key)
	require.NoError(t, err)
	if want == nil {
		want = map[string]string{}
	}
	require.Equal(t, want, got)
	require.Equal(t, len(want), t.attrs(b, key).TagCount)
}

// tagsRefused makes all calls that read or set tags, and returns their errors by name.
func tagsRefused(t *T, b storage.Bucket) map[string]error {
	tags := map[string]string{"k": "v"}
	errs := writesWith(t, b, "new", storage.WithTags(tags))
	_, errs["Tags"] = storage.Tags(t.Context(), b, "key")
	errs["SetTags"] = storage.SetTags(t.Context(), b, "key", tags)
	return errs
}
