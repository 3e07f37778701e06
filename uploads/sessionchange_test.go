package uploads_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// sentAcross sends a file of which one process takes the first half, and another one, with another Config, the rest.
var sentAcross = map[string]func(oldSite, newSite *sessionSite, data []byte) (*uploads.File, error){
	"parts": func(oldSite, newSite *sessionSite, data []byte) (*uploads.File, error) {
		u := oldSite.begin(map[string]any{"filename": "film.mp4"})
		parts := []sentPart{u.send(1, data[:part]), u.send(2, data[part:])}
		u.s = newSite
		return nil, refusalOf(u.complete(parts...))
	},
	"tus": func(oldSite, newSite *sessionSite, data []byte) (*uploads.File, error) {
		location := oldSite.create("Upload-Length", size(data))
		oldSite.patch(location, 0, data[:1000], 1000)
		return nil, refusalOf(newSite.send("PATCH", location, data[1000:], "Upload-Offset", "1000"))
	},
	"pieces": func(oldSite, newSite *sessionSite, data []byte) (*uploads.File, error) {
		_, err := oldSite.handler.PutPiece(oldSite.t.Context(), piece(2, 1, string(data[:1000])))
		require.NoError(oldSite.t, err)
		return newSite.handler.PutPiece(newSite.t.Context(), piece(2, 2, string(data[1000:])))
	},
}

func refusalOf(a *answer) error {
	if a.StatusCode < 300 {
		return nil
	}
	return &uploads.Error{Status: a.StatusCode}
}

// If Config changes while uploads are open, each upload is completed under the new Config, or must start again. No
// file appears that the rules did not judge.
func TestConfigChangesDuringUploads(t *testing.T) {
	inspect := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	film := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41"), make([]byte, part+10_000)...)
	page := []byte("<!doctype html><html><script>alert(1)</script>" + strings.Repeat(" ", part+1000))
	films := rules.Rules{Types: []string{"video/mp4"}, MaxSize: 1 << 20}
	all := rules.Any(1 << 20)

	tests := []struct {
		name          string
		before, after uploads.Config
		data          []byte
		stored        string // the ways that complete the upload
	}{
		{
			name:   "rules look at the content now",
			before: uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			after:  uploads.Config{Rules: films, Key: "{user}/{random}{ext}"},
			data:   page,
		},
		{
			name:   "rules look at the content no more",
			before: uploads.Config{Rules: films, Key: "{user}/{random}{ext}"},
			after:  uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			data:   film,
			stored: "pieces",
		},
		{
			name:   "Inspect looks now",
			before: uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			after:  uploads.Config{Rules: all, Key: "{user}/{random}{ext}", Inspect: inspect},
			data:   film,
			stored: "pieces",
		},
		{
			name:   "Inspect looks no more",
			before: uploads.Config{Rules: all, Key: "{user}/{random}{ext}", Inspect: inspect},
			after:  uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			data:   film,
			stored: "pieces",
		},
		{
			name:   "another key",
			before: uploads.Config{Rules: all, Key: "a/{random}{ext}"},
			after:  uploads.Config{Rules: all, Key: "b/{random}{ext}"},
			data:   film,
			stored: "parts tus pieces",
		},
		{
			name:   "another key, by the content",
			before: uploads.Config{Rules: films, Key: "a/{random}{ext}"},
			after:  uploads.Config{Rules: films, Key: "b/{random}{ext}"},
			data:   film,
			stored: "parts tus pieces",
		},
		{
			name:   "a key with a value that is missing",
			before: uploads.Config{Rules: films, Key: "a/{random}{ext}"},
			after:  uploads.Config{Rules: films, Key: "b/{tenant}/{random}{ext}"},
			data:   film,
		},
		{
			name:   "another key, with records",
			before: uploads.Config{Rules: all, Key: "a/{id}{ext}"},
			after:  uploads.Config{Rules: all, Key: "b/{id}{ext}"},
			data:   film,
			stored: "parts tus pieces",
		},
		{
			name:   "another key, by the content, with records",
			before: uploads.Config{Rules: films, Key: "a/{id}{ext}"},
			after:  uploads.Config{Rules: films, Key: "b/{id}{ext}"},
			data:   film,
			stored: "parts tus pieces",
		},
		{
			name:   "records now",
			before: uploads.Config{Rules: all, Key: "a/{random}{ext}"},
			after:  uploads.Config{Rules: all, Key: "b/{id}{ext}"},
			data:   film,
			stored: "pieces",
		},
	}
	for _, tt := range tests {
		for way, send := range sentAcross {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				bucket := memstore.New()
				told := []*uploads.File{}
				oldConfig := tt.before
				newConfig := tt.after
				for _, c := range []*uploads.Config{&oldConfig, &newConfig} {
					c.ProxyParts, c.Stored = true, func(_ context.Context, f *uploads.File) error {
						told = append(told, f)
						return nil
					}
					if strings.Contains(c.Key, "{id}") {
						c.Records = uploads.BucketRecords(bucket)
					}
				}
				current := newSessionSite(t, bucket, newConfig)
				_, err := send(newSessionSite(t, bucket, oldConfig), current, tt.data)
				leftovers := current.tidy()
				if !strings.Contains(tt.stored, way) {
					require.Error(t, err)
					require.Empty(t, told)
					for _, key := range leftovers {
						require.True(t, strings.HasPrefix(key, uploads.DefaultPrefix), key)
					}
					return
				}
				require.NoError(t, err)

				require.Len(t, told, 1)
				current.stored(told[0].Key, tt.data)
				if newConfig.Records != nil {
					f, err := newConfig.Records.Record(t.Context(), told[0].ID)
					require.NoError(t, err)
					require.Equal(t, told[0].Key, f.Key)
				}
			})
		}
	}
}
