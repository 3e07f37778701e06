package storagetest

import (
	"fmt"
	"io"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// anyTexts are file names that a program may receive from users, and texts that are even harder to
// store.
var anyTexts = []struct{ name, text string }{
	{"plain", "a b.txt"},
	{"a leading space", " leading.txt"},
	{"trailing spaces", "trailing  "},
	{"a space", " "},
	{"a space of another script at the end", "x\u00a0"},
	{"spaces inside", "two  spaces"},
	{"control characters", "tab\t.txt\r\nx: y\x00\x7f"},
	{"cut inside a character", "caf\u00e9"[:4]},
	{"not UTF-8", "\xff\xfe"},
	{"letters and emoji", "\u00e9t\u00e9 \U0001F600"},
	{"looks encoded as in mail", "=?utf-8?q?x?="},
	{"looks percent-encoded", "100%25"},
	{"a percent sign", "100%"},
	{"quotes and commas", `"a", b; c=d\e+f`},
}

var metadataCases = []Case{
	{
		Name:        "metadata comes back as it was given",
		Rule:        "W8",
		Explanation: "letters of every script, emoji, and values that look encoded are kept, even if the provider cannot store them itself",
		Needs:       storage.Metadata,
		run: func(t *T) {
			b := t.open()
			want := map[string]string{
				"plain":      "value",
				"empty":      "",
				"with-dash":  "a-b",
				"with_under": "a_b",
				"a1":         "digits",
				"spaces":     "a  b",
				"accents":    "\u00e9t\u00e9",
				"emoji":      "\U0001F600",
				"encoded":    "=?utf-8?q?x?=",
				"half":       "=?",
				"base64":     "=?UTF-8?b?w6k=?=",
				"percent":    "100%25",
				"quotes":     `"a",b;c=d\e`,
				"x2d":        "_x002D_",
				"long-value": strings.Repeat("v", 300),
				"a-b_c-d_e":  "both",
				"a_x002d_b":  "looks escaped",
			}
			attrs := t.put(b, "a", "x", storage.WithMetadata(want))
			require.Equal(t, want, attrs.Metadata)
			require.Equal(t, want, t.attrs(b, "a").Metadata)
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, want, reader.Attrs().Metadata)
			require.NoError(t, reader.Close())
		},
	},
	{
		Name:        "metadata keys are folded to lower case",
		Rule:        "W8",
		Explanation: "keys may have any case; if two fold together, the one in lower case wins, and without one it is InvalidArgument",
		Needs:       storage.Metadata,
		run: func(t *T) {
			b := t.open()
			values := map[string]string{"Upper": "1", "MIXED-case": "2", "both": "lower", "BOTH": "upper"}
			want := map[string]string{"upper": "1", "mixed-case": "2", "both": "lower"}
			require.Equal(t, want, t.put(b, "a", "x", storage.WithMetadata(values)).Metadata)
			require.Equal(t, want, t.attrs(b, "a").Metadata)
			require.Len(t, values, 4, "the caller's map must not change")
			t.requireNoRequests(func() {
				_, err := b.Upload(
					t.Context(), "b", strings.NewReader("x"),
					storage.WithMetadata(map[string]string{"Key": "1", "KEY": "2"}),
				)
				t.requireNothingDone(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name:        "metadata that a provider cannot hold is refused",
		Rule:        "W8",
		Explanation: "invalid keys, invalid values and more than 2 KiB are InvalidArgument with every provider, before any request",
		run: func(t *T) {
			b := t.open()
			many := map[string]string{}
			for i := range 100 {
				many[fmt.Sprintf("k%02d", i)] = strings.Repeat("v", 20)
			}
			for name, bad := range map[string]map[string]string{
				"an empty key":           {"": "v"},
				"a leading digit":        {"1a": "v"},
				"a leading underscore":   {"_a": "v"},
				"a leading dash":         {"-a": "v"},
				"a space":                {"a b": "v"},
				"a dot":                  {"a.b": "v"},
				"a letter beyond ASCII":  {"\u00e9": "v"},
				"a key of 65":            {strings.Repeat("k", 65): "v"},
				"a control character":    {"a": "x\ny"},
				"NUL":                    {"a": "\x00"},
				"DEL":                    {"a": "\x7f"},
				"a leading space":        {"a": " x"},
				"a trailing space":       {"a": "x "},
				"a trailing tab":         {"a": "x\t"},
				"invalid UTF-8":          {"a": "\xff"},
				"2 KiB in one":           {"a": strings.Repeat("v", 2048)},
				"2 KiB in many":          many,
				"2 KiB as stored":        {"a": strings.Repeat("\u00e9", 900)},
				"the library's own name": {"omnibucketwriteid": "x"},
				"its older name":         {"omnibucket_write_id": "x"},
				"its name with dashes":   {"omnibucket-write-id": "x"},
				"the library's prefix":   {"omnibucket_other": "x"},
			} {
				t.requireNoRequests(func() {
					_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithMetadata(bad))
					require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s: %v", name, err)
				})
			}
			longest := map[string]string{strings.Repeat("k", 64): strings.Repeat("v", 1500)}
			t.put(b, "a", "x", t.metadata(longest))
			require.Equal(t, t.keptMetadata(longest), t.attrs(b, "a").Metadata)
		},
	},
	{
		Name:        "any text comes back from its encoded value",
		Rule:        "W8",
		Explanation: "EncodeMetadataValue makes a valid value of any bytes, and DecodeMetadataValue returns the bytes, after an upload and after a copy",
		Needs:       storage.Metadata,
		run: func(t *T) {
			b := t.open()
			encoded := map[string]string{}
			for i, c := range anyTexts {
				encoded[fmt.Sprintf("k%d", i)] = storage.EncodeMetadataValue(c.text)
			}
			holds := func(metadata map[string]string) {
				t.Helper()
				require.Equal(t, encoded, metadata)
				for i, c := range anyTexts {
					require.Equal(t, c.text, storage.DecodeMetadataValue(metadata[fmt.Sprintf("k%d", i)]), c.name)
				}
			}
			holds(t.put(b, "a", "x", storage.WithMetadata(encoded)).Metadata)
			holds(t.attrs(b, "a").Metadata)
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			holds(reader.Attrs().Metadata)
			require.NoError(t, reader.Close())
			_, err = storage.Copy(t.Context(), b, "kept", b, "a")
			require.NoError(t, err)
			holds(t.attrs(b, "kept").Metadata)
			t.put(b, "plain", "x")
			_, err = storage.Copy(t.Context(), b, "set", b, "plain", storage.WithMetadata(encoded))
			require.NoError(t, err)
			holds(t.attrs(b, "set").Metadata)
			_, err = storage.Compose(t.Context(), b, "composed", []string{"a", "plain"}, storage.WithMetadata(encoded))
			require.NoError(t, err)
			holds(t.attrs(b, "composed").Metadata)
		},
	},
	{
		Name:        "any text comes back from its encoded value after a signed upload",
		Rule:        "W8",
		Explanation: "EncodeMetadataValue returns a header that every client can send, and the store keeps it unchanged",
		Needs:       storage.SignedURLs | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			for _, c := range anyTexts {
				want := map[string]string{"k": storage.EncodeMetadataValue(c.text)}
				signedURL, err := b.SignedUploadURL(t.Context(), "a", storage.WithMetadata(want))
				require.NoError(t, err, c.name)
				response := t.do(signedURL, strings.NewReader("text"), nil)
				require.Less(t, response.status, 300, "%s: %s", c.name, response.body)
				got := t.attrs(b, "a").Metadata
				require.Equal(t, want, got, c.name)
				require.Equal(t, c.text, storage.DecodeMetadataValue(got["k"]), c.name)
			}
		},
	},
	{
		Name:        "attributes belong to the caller",
		Rule:        "W4",
		Explanation: "if a caller changes the map that it passed, or the Attrs that it got, the stored object does not change",
		Needs:       storage.Metadata,
		run: func(t *T) {
			b := t.open()
			values := map[string]string{"k": "v"}
			attrs := t.put(b, "a", "x", storage.WithMetadata(values))
			values["k"] = "changed"
			attrs.Metadata["k"] = "changed"
			require.Equal(t, map[string]string{"k": "v"}, t.attrs(b, "a").Metadata)
			t.attrs(b, "a").Metadata["k"] = "changed"
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			reader.Attrs().Metadata["k"] = "changed"
			require.NoError(t, reader.Close())
			dstAttrs, err := storage.Copy(t.Context(), b, "b", b, "a")
			require.NoError(t, err)
			dstAttrs.Metadata["k"] = "changed"
			for _, key := range []string{"a", "b"} {
				attrs := t.attrs(b, key)
				require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata)
				if attrs.CRC32C.Known {
					attrs.CRC32C.Sum++
				}
				if len(attrs.MD5) > 0 {
					attrs.MD5[0]++
				}
				t.requireContent(b, key, "x")
			}
		},
	},
	{
		Name:        "header attributes come back as they were given",
		Rule:        "W8",
		Explanation: "cache control, disposition, encoding and language are stored and served unchanged, also a list of encodings with its spaces; a download may leave out the encoding identity, which means none",
		Needs:       storage.ContentProperties,
		run: func(t *T) {
			b := t.open()
			want := storage.Properties{
				ContentType:        "text/plain; charset=utf-8",
				CacheControl:       "public, max-age=3600",
				ContentDisposition: `attachment; filename="a b.txt"`,
				ContentEncoding:    "gzip",
				ContentLanguage:    "de-AT",
			}
			t.put(b, "a", "x", storage.WithContentType(want.ContentType), storage.WithCacheControl(want.CacheControl),
				storage.WithContentDisposition(want.ContentDisposition),
				storage.WithContentEncoding(want.ContentEncoding),
				storage.WithContentLanguage(want.ContentLanguage))
			got := t.attrs(b, "a").Properties
			got.StorageClass = ""
			require.Equal(t, want, got)

			for _, coding := range []string{"identity", "gzip, br", "gzip,br"} {
				t.put(b, "plain", "x", storage.WithContentEncoding(coding))
				require.Equal(t, coding, t.attrs(b, "plain").ContentEncoding)
				_, attrs, err := storage.ReadAll(t.Context(), b, "plain")
				require.NoError(t, err)
				if attrs.ContentEncoding != "" || coding != "identity" {
					require.Equal(t, coding, attrs.ContentEncoding)
				}
			}
		},
	},
	{
		Name:        "header attributes that are no header are refused",
		Rule:        "W9",
		Explanation: "a control character, a character beyond ASCII, or more than 1 KiB is InvalidArgument before any request, so that no header can be injected",
		run: func(t *T) {
			b := t.open()
			for name, set := range map[string]func(string) storage.WriteOption{
				"WithContentType":        storage.WithContentType,
				"WithCacheControl":       storage.WithCacheControl,
				"WithContentDisposition": storage.WithContentDisposition,
				"WithContentEncoding":    storage.WithContentEncoding,
				"WithContentLanguage":    storage.WithContentLanguage,
			} {
				for _, bad := range []string{"text/x\r\nX-Evil: 1", "text/x\x00", "text/\u00e9", "text/" + strings.Repeat("x", 1024)} {
					t.requireNoRequests(func() {
						_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), set(bad))
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s(%.20q): %v", name, bad, err)
					})
				}
			}
			// S3 would read aws-chunked as the encoding of the request, and not of the object.
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"),
					storage.WithContentEncoding("gzip, aws-chunked"))
				t.requireCode(err, storage.InvalidArgument)
			})
		},
	},
}

const pngHead = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

var contentTypeCases = []Case{
	{
		Name:        "the content type is detected",
		Rule:        "W9",
		Explanation: "it is the given type, or else that of the key's extension, or else that of the first 512 bytes, in one Put and in parts",
		Needs:       storage.ContentProperties,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				pad := body(path.size, 1)
				for _, c := range []struct {
					key, body, given, want string
				}{
					{"a.png", pad, "", "image/png"},
					{"a.PNG", pad, "", "image/png"},
					{"dir.png/a.json", pad, "", "application/json"},
					{"a.tar.gz", pad, "", "application/gzip"},
					{"a.html", "plain text" + pad, "", "text/html; charset=utf-8"},
					{"a.js", pad, "", "text/javascript; charset=utf-8"},
					{"a.png", pad, "text/x-own", "text/x-own"},
					{"noextension", pngHead + pad, "", "image/png"},
					{"a.unknownextension", pngHead + pad, "", "image/png"},
					{"dir.png/noextension", "plain words " + strings.Repeat("and more ", 100), "", "text/plain; charset=utf-8"},
					{"html", "<!DOCTYPE html><html>" + pad, "", "text/html; charset=utf-8"},
					{"empty", "", "", "application/octet-stream"},
					{"binary", "\x00\x01\x02\x03\xff" + pad, "", "application/octet-stream"},
				} {
					var opts []storage.UploadOption
					if c.given != "" {
						opts = append(opts, storage.WithContentType(c.given))
					}
					for _, source := range []io.Reader{strings.NewReader(c.body), stream(c.body)} {
						attrs, err := b.Upload(t.Context(), c.key, source, opts...)
						require.NoError(t, err)
						require.Equal(t, c.want, attrs.ContentType, "%s: the type that Upload returns for %q",
							path.name, c.key)
					}
					require.Equal(t, c.want, t.attrs(b, c.key).ContentType, "%s: %q", path.name, c.key)
					t.requireContent(b, c.key, c.body)
				}
			}
		},
	},
	{
		Name:        "a content type has a type and a subtype",
		Rule:        "W9",
		Explanation: "any other content type is InvalidArgument, before any request",
		run: func(t *T) {
			b := t.open()
			for _, bad := range []string{"", "png", "image/", "/png", "image png", "text/plain; charset"} {
				t.requireNoRequests(func() {
					_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithContentType(bad))
					require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q: %v", bad, err)
				})
			}
		},
	},
}

// leftOutCases are cases for stores that do not keep some attributes.
var leftOutCases = []Case{
	{
		Name:        "a store without content types shows those of the keys",
		Rule:        "W9",
		Explanation: "without ContentProperties the type is the extension's, else application/octet-stream, in the response to a write as in a read",
		run: func(t *T) {
			b := t.openLimited(faults.Limits{Disable: storage.ContentProperties})
			for key, want := range map[string]string{"a.png": "image/png", "page.html": "text/html; charset=utf-8", "png": "application/octet-stream"} {
				for _, source := range []io.Reader{strings.NewReader(pngHead), stream(pngHead)} {
					attrs, err := b.Upload(t.Context(), key, source)
					require.NoError(t, err)
					require.Equal(t, want, attrs.ContentType, key)
					require.Equal(t, want, t.attrs(b, key).ContentType, key)
				}
			}
			for path, b := range t.copyPaths(withoutFeatures(storage.ContentProperties)) {
				t.put(b, "a.png", "text")
				attrs, err := storage.Copy(t.Context(), b, "b", b, "a.png")
				require.NoError(t, err, path)
				require.Equal(t, "application/octet-stream", attrs.ContentType, path)
				require.Equal(t, attrs.ContentType, t.attrs(b, "b").ContentType, path)
				attrs, err = storage.Compose(t.Context(), b, "c", []string{"a.png", "b"})
				require.NoError(t, err, path)
				require.Equal(t, "application/octet-stream", attrs.ContentType, path)
				require.Equal(t, attrs.ContentType, t.attrs(b, "c").ContentType, path)
			}
		},
	},
	{
		Name:        "a copy leaves out attributes that its destination cannot keep",
		Rule:        "W8",
		Explanation: "what the source has is dropped, inside the provider as when streamed; what an option sets is Unsupported",
		run: func(t *T) {
			const kept = storage.Metadata | storage.ContentProperties
			for path, excluded := range map[string]storage.Features{"inside": kept, "streamed": kept | storage.ServerCopy} {
				b, parent := t.openTwice(withoutFeatures(excluded))
				t.put(parent, "a.txt", "text", t.contentType("text/x-test"), t.metadata(map[string]string{"k": "v"}),
					t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")))
				for name, dst := range map[string]storage.Uploader{"ours": b, "a user's Core": t.wrapped(b)} {
					attrs, err := storage.Copy(t.Context(), dst, "b.json", parent, "a.txt")
					require.NoError(t, err, "%s, %s", path, name)
					want := storage.Properties{ContentType: "application/json", StorageClass: attrs.StorageClass}
					require.Equal(t, want, attrs.Properties, "%s, %s", path, name)
					existing := t.attrs(b, "b.json")
					require.Equal(t, attrs.ContentType, existing.ContentType, "%s, %s", path, name)
					require.Empty(t, existing.CacheControl, "%s, %s", path, name)
					require.Empty(t, existing.Metadata, "%s, %s", path, name)
					t.requireContent(b, "b.json", "text")
					_, err = storage.Copy(t.Context(), dst, "c", parent, "a.txt",
						storage.WithMetadata(map[string]string{"k": "new"}))
					t.requireNothingDone(err, storage.Unsupported)
					_, err = storage.Copy(t.Context(), dst, "c", parent, "a.txt", storage.WithContentType("text/x-new"))
					t.requireNothingDone(err, storage.Unsupported)
					t.requireMissing(b, "c")
				}
			}
		},
	},
	{
		Name:        "without metadata a lost response stays unknown",
		Rule:        "W7",
		Explanation: "no write id is stored, so nothing tells whose the object is that a condition finds",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			b := t.open(
				withoutFeatures(storage.Metadata),
				observe.SeePuts(func(r *driver.PutRequest) {
					require.Empty(t, r.Metadata)
				}),
			)
			t.faults.Set(faults.DropResponse(faults.Put).Nth(1))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("text"), storage.IfAbsent())
			require.NotEmpty(t, t.requireCode(err, storage.OutcomeUnknown).Hint)
			t.requireContent(b, "a", "text")
			_, err = b.Upload(t.Context(), "a", strings.NewReader("other"), storage.IfAbsent())
			t.requireNothingDone(err, storage.PreconditionFailed)
		},
	},
}
