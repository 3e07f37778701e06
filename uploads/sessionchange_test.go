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
var sentAcross = map[string]func(before, after *sessionSite, data []byte) (*uploads.File, error){
	"parts": func(before, after *sessionSite, data []byte) (*uploads.File, error) {
		u := before.begin(map[string]any{"filename": "film.mp4"})
		parts := []sentPart{u.send(1, data[:part]), u.send(2, data[part:])}
		u.s = after
		return nil, refusalOf(u.complete(parts...))
	},
	"tus": func(before, after *sessionSite, data []byte) (*uploads.File, error) {
		at := before.create("Upload-Length", size(data))
		before.patch(at, 0, data[:1000], 1000)
		return nil, refusalOf(after.send("PATCH", at, data[1000:], "Upload-Offset", "1000"))
	},
	"pieces": func(before, after *sessionSite, data []byte) (*uploads.File, error) {
		_, err := before.handler.PutPiece(before.t.Context(), piece(2, 1, string(data[:1000])))
		require.NoError(before.t, err)
		return after.handler.PutPiece(after.t.Context(), piece(2, 2, string(data[1000:])))
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
	for _, row := range []struct {
		name          string
		before, after uploads.Config
		data          []byte
		stored        string // the ways that complete the upload
	}{
		{"rules look at the content now", uploads.Config{Rules: all, Key: "{user}/{random}{ext}"}, uploads.Config{Rules: films, Key: "{user}/{random}{ext}"}, page, ""},
		{"rules look at the content no more", uploads.Config{Rules: films, Key: "{user}/{random}{ext}"}, uploads.Config{Rules: all, Key: "{user}/{random}{ext}"}, film, "pieces"},
		{"Inspect looks now", uploads.Config{Rules: all, Key: "{user}/{random}{ext}"}, uploads.Config{Rules: all, Key: "{user}/{random}{ext}", Inspect: inspect}, film, "pieces"},
		{"Inspect looks no more", uploads.Config{Rules: all, Key: "{user}/{random}{ext}", Inspect: inspect}, uploads.Config{Rules: all, Key: "{user}/{random}{ext}"}, film, "pieces"},
		{"another key", uploads.Config{Rules: all, Key: "a/{random}{ext}"}, uploads.Config{Rules: all, Key: "b/{random}{ext}"}, film, "parts tus pieces"},
		{"another key, by the content", uploads.Config{Rules: films, Key: "a/{random}{ext}"}, uploads.Config{Rules: films, Key: "b/{random}{ext}"}, film, "parts tus pieces"},
		{"a key with a value that is missing", uploads.Config{Rules: films, Key: "a/{random}{ext}"}, uploads.Config{Rules: films, Key: "b/{tenant}/{random}{ext}"}, film, ""},
		{"another key, with records", uploads.Config{Rules: all, Key: "a/{id}{ext}"}, uploads.Config{Rules: all, Key: "b/{id}{ext}"}, film, "parts tus pieces"},
		{"another key, by the content, with records", uploads.Config{Rules: films, Key: "a/{id}{ext}"}, uploads.Config{Rules: films, Key: "b/{id}{ext}"}, film, "parts tus pieces"},
		{"records now", uploads.Config{Rules: all, Key: "a/{random}{ext}"}, uploads.Config{Rules: all, Key: "b/{id}{ext}"}, film, "pieces"},
	} {
		for way, send := range sentAcross {
			t.Run(row.name+", "+way, func(t *testing.T) {
				bucket := memstore.New()
				told := []*uploads.File{}
				before := row.before
				after := row.after
				for _, c := range []*uploads.Config{&before, &after} {
					c.ProxyParts, c.Stored = true, func(_ context.Context, f *uploads.File) error {
						told = append(told, f)
						return nil
					}
					if strings.Contains(c.Key, "{id}") {
						c.Records = uploads.BucketRecords(bucket)
					}
				}
				current := newSessionSite(t, bucket, after)
				_, err := send(newSessionSite(t, bucket, before), current, row.data)
				leftovers := current.tidy()
				if !strings.Contains(row.stored, way) {
					require.Error(t, err)
					require.Empty(t, told)
					for _, key := range leftovers {
						require.True(t, strings.HasPrefix(key, uploads.DefaultPrefix), key)
					}
					return
				}
				require.NoError(t, err)
				require.Len(t, told, 1)
				current.stored(told[0].Key, row.data)
				if after.Records != nil {
					f, err := after.Records.Record(t.Context(), told[0].ID)
					require.NoError(t, err)
					require.Equal(t, told[0].Key, f.Key)
				}
			})
		}
	}
}
