package storagetest

import (
	"io"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

const pngHead = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

var contentTypeCases = []Case{
	{
		Name: "the content type is detected", Rule: "W9",
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
						require.Equal(t, c.want, attrs.ContentType, "%s: the type that Upload returns for %q", path.name, c.key)
					}
					require.Equal(t, c.want, t.attrs(b, c.key).ContentType, "%s: %q", path.name, c.key)
					t.requireContent(b, c.key, c.body)
				}
			}
		},
	},
	{
		Name: "a content type has a type and a subtype", Rule: "W9",
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
