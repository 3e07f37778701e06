package storagetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A grant is one permission, with the type for Ref and the methods that it permits.
type grant struct {
	name    string
	narrow  func(storage.Bucket) any
	methods []string
}

var grants = []grant{
	{"Uploader", func(b storage.Bucket) any { return storage.Ref[storage.Uploader](b) }, []string{"Upload"}},
	{"Downloader", func(b storage.Bucket) any { return storage.Ref[storage.Downloader](b) }, []string{"Download", "ReadAll", "ReadRanges"}},
	{"Lister", func(b storage.Bucket) any { return storage.Ref[storage.Lister](b) }, []string{"List", "ListPage"}},
	{"AttrsReader", func(b storage.Bucket) any { return storage.Ref[storage.AttrsReader](b) }, []string{"Attrs", "Exists"}},
	{"Remover", func(b storage.Bucket) any { return storage.Ref[storage.Remover](b) }, []string{"Remove", "RemoveAll"}},
	{"SignedUploader", func(b storage.Bucket) any { return storage.Ref[storage.SignedUploader](b) }, []string{"SignedUploadURL"}},
	{"SignedDownloader", func(b storage.Bucket) any { return storage.Ref[storage.SignedDownloader](b) }, []string{"SignedDownloadURL"}},
	{"PublicLinker", func(b storage.Bucket) any { return storage.Ref[storage.PublicLinker](b) }, []string{"PublicURL"}},
}

var refCases = []Case{
	{
		Name: "a reference has its one permission and no other", Rule: "O3",
		Explanation: "a method of Bucket that was not granted returns PermissionDenied and makes no request, also if it is reached by a type assertion",
		run: func(t *T) {
			for _, g := range grants {
				b := t.open()
				t.put(b, "key", "x")
				widened, ok := g.narrow(b).(storage.Bucket)
				if !ok {
					continue // it cannot be widened at all
				}
				for name, err := range everyOperation(t, widened, "key") {
					if !slices.Contains(g.methods, name) {
						require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%s through %s: %v", name, g.name, err)
						continue
					}
					require.NotErrorIs(t, err, storage.PermissionDenied, "%s through %s", name, g.name)
				}
				before := t.snapshot(b)
				require.NotContains(t, before, `"to"`)
			}
		},
	},
	{
		Name: "a reference is not widened by what is built on it", Rule: "O3",
		Explanation: "Ref, Prefixed, As, Close and every function of the package keep the restriction, and no driver is called",
		run: func(t *T) {
			b := t.open()
			t.put(b, "p/key", "x")
			for _, g := range grants {
				widened, ok := g.narrow(b).(storage.Bucket)
				if !ok {
					continue
				}
				_, found := storage.As[any](widened)
				require.False(t, found, g.name)
				require.NoError(t, storage.Close(widened), g.name)
				for path, again := range map[string]storage.Bucket{
					"Prefixed":        storage.Prefixed(widened, "p/"),
					"Ref":             storage.Ref[storage.Bucket](widened),
					"Ref of Prefixed": storage.Ref[storage.Bucket](storage.Prefixed(widened, "p/")),
				} {
					for name, err := range everyOperation(t, again, "missing") {
						if !slices.Contains(g.methods, name) {
							require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%s through %s of %s: %v", name, path, g.name, err)
						}
					}
				}
			}
			t.requireExists(b, "p/key")
		},
	},
	{
		Name: "a refused operation makes no request", Rule: "O3",
		Explanation: "a refused operation makes no driver call",
		run: func(t *T) {
			b := t.open()
			t.put(b, "key", "x")
			widened, ok := storage.Ref[storage.PublicLinker](b).(storage.Bucket)
			if !ok {
				return
			}
			t.requireNoRequests(func() {
				for name, err := range everyOperation(t, widened, "key") {
					if name != "PublicURL" {
						require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%s: %v", name, err)
					}
				}
			})
		},
	},
	{
		Name: "a copy needs both permissions", Rule: "O3",
		Explanation: "a copy needs Download for the source and Upload for the destination, also on the fast path inside the provider",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			reader, writer := storage.Ref[storage.Downloader](b), storage.Ref[storage.Uploader](b)
			_, err := storage.Copy(t.Context(), writer, "copied", reader, "a")
			require.NoError(t, err)
			t.requireContent(b, "copied", "a")
			if widened, ok := any(reader).(storage.Uploader); ok {
				_, err = storage.Copy(t.Context(), widened, "evil", reader, "a")
				t.requireNothingDone(err, storage.PermissionDenied)
			}
			if widened, ok := any(writer).(storage.Downloader); ok {
				_, err = storage.Copy(t.Context(), writer, "evil", widened, "a")
				t.requireNothingDone(err, storage.PermissionDenied)
			}
			if widened, ok := any(writer).(storage.Bucket); ok {
				_, err = storage.Compose(t.Context(), widened, "evil", []string{"a", "b"})
				t.requireNothingDone(err, storage.PermissionDenied)
				_, err = storage.Move(t.Context(), widened, "a", "evil")
				t.requireNothingDone(err, storage.PermissionDenied)
				if t.has(storage.ConditionalCreate | storage.ConditionalUpdate) {
					_, err = storage.Update(t.Context(), widened, "evil", increment)
					t.requireCode(err, storage.PermissionDenied)
				}
				t.requireCode(readByte(t, widened, "a"), storage.PermissionDenied)
				for _, err := range storage.Versions(t.Context(), widened) {
					require.True(t, errors.Is(err, storage.PermissionDenied) || errors.Is(err, storage.Unsupported), "%v", err)
				}
			}
			t.requireMissing(b, "evil")
		},
	},
	{
		Name: "permissions combine by embedding", Rule: "O3",
		Explanation: "a reference with several permissions has all of them, and the fast paths with the same rights",
		run: func(t *T) {
			b := t.open()
			ref := storage.Ref[interface {
				storage.Uploader
				storage.Lister
				storage.Remover
			}](b)
			t.put(ref, "a", "x")
			require.Equal(t, []string{"a"}, t.keys(ref))
			removed, err := storage.RemoveMatching(t.Context(), ref, nil)
			require.NoError(t, err)
			require.Equal(t, 1, removed)
			whole := storage.Ref[storage.ReadWriter](b)
			t.put(whole, "b", "y")
			t.requireContent(whole, "b", "y")
			require.Equal(t, storage.Supports(b, driver.StreamingPut), storage.Supports(whole, driver.StreamingPut))
		},
	},
	{
		Name: "a reference to a method that Bucket lacks panics", Rule: "O3",
		Explanation: "it is a programmer's mistake, which shows when the program starts",
		run: func(t *T) {
			b := t.open()
			for name, narrow := range map[string]func(){
				"a foreign method": func() { storage.Ref[fmt.Stringer](b) },
				"no method":        func() { storage.Ref[any](b) },
				"no interface":     func() { storage.Ref[string](b) },
				"another signature": func() {
					storage.Ref[interface{ Upload(string) error }](b)
				},
			} {
				require.Panics(t, narrow, name)
			}
		},
	},
}
