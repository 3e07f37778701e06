package uploads_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// crossingMethods send the first half of a file to one process and the rest to another process with another Config.
// They return the error of the last request.
var crossingMethods = map[string]func(oldSite, newSite *sessionSite, data []byte) error{
	"parts":  sendPartsAcross,
	"tus":    sendTusAcross,
	"pieces": sendPiecesAcross,
}

// sendPartsAcross sends two parts to the old site, and completes the upload at the new one.
func sendPartsAcross(oldSite, newSite *sessionSite, data []byte) error {
	u := oldSite.beginMultipart(map[string]any{"filename": "film.mp4"})
	first := u.sendPart(1, data[:part])
	second := u.sendPart(2, data[part:])
	u.s = newSite
	return errorOf(u.complete(first, second))
}

func sendTusAcross(oldSite, newSite *sessionSite, data []byte) error {
	location := oldSite.create("Upload-Length", size(data))
	oldSite.patch(location, 0, data[:1000], 1000)
	return errorOf(newSite.send("PATCH", location, data[1000:], "Upload-Offset", "1000"))
}

// sendPiecesAcross sends one piece to the old site, and the last one to the new site.
func sendPiecesAcross(oldSite, newSite *sessionSite, data []byte) error {
	_, err := oldSite.handler.PutPiece(oldSite.t.Context(), piece(1).of(2, string(data[:1000])))
	require.NoError(oldSite.t, err)
	_, err = newSite.handler.PutPiece(newSite.t.Context(), piece(2).of(2, string(data[1000:])))
	return err
}

// errorOf returns an error with the status of a response that is a refusal.
func errorOf(resp *answer) error {
	if resp.StatusCode < 300 {
		return nil
	}
	return &uploads.Error{Status: resp.StatusCode}
}

// If Config changes while uploads are open, each upload is completed under the new Config, or must start again. No
// file appears that the rules of the new Config did not check.
func TestConfigChangesDuringUploads(t *testing.T) {
	inspect := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	film := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41"), make([]byte, part+10_000)...)
	page := []byte("<!doctype html><html><script>alert(1)</script>" + strings.Repeat(" ", part+1000))
	films := rules.Rules{Types: []string{"video/mp4"}, MaxSize: 1 << 20}
	all := rules.Any(1 << 20)

	// Each test lists the methods that complete the upload under the new Config. With the others, it must start again.
	everyMethod := []string{"parts", "tus", "pieces"}
	onlyPieces := []string{"pieces"}
	noMethod := []string{}

	tests := []struct {
		name            string
		oldConfig       uploads.Config
		newConfig       uploads.Config
		data            []byte
		wantCompletedBy []string
	}{
		{
			name:            "rules check the content now",
			oldConfig:       uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			newConfig:       uploads.Config{Rules: films, Key: "{user}/{random}{ext}"},
			data:            page,
			wantCompletedBy: noMethod,
		},
		{
			name:            "rules check the content no more",
			oldConfig:       uploads.Config{Rules: films, Key: "{user}/{random}{ext}"},
			newConfig:       uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			data:            film,
			wantCompletedBy: onlyPieces,
		},
		{
			name:            "Inspect is set now",
			oldConfig:       uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			newConfig:       uploads.Config{Rules: all, Key: "{user}/{random}{ext}", Inspect: inspect},
			data:            film,
			wantCompletedBy: onlyPieces,
		},
		{
			name:            "Inspect is set no more",
			oldConfig:       uploads.Config{Rules: all, Key: "{user}/{random}{ext}", Inspect: inspect},
			newConfig:       uploads.Config{Rules: all, Key: "{user}/{random}{ext}"},
			data:            film,
			wantCompletedBy: onlyPieces,
		},
		{
			name:            "another key",
			oldConfig:       uploads.Config{Rules: all, Key: "a/{random}{ext}"},
			newConfig:       uploads.Config{Rules: all, Key: "b/{random}{ext}"},
			data:            film,
			wantCompletedBy: everyMethod,
		},
		{
			name:            "another key, by the content",
			oldConfig:       uploads.Config{Rules: films, Key: "a/{random}{ext}"},
			newConfig:       uploads.Config{Rules: films, Key: "b/{random}{ext}"},
			data:            film,
			wantCompletedBy: everyMethod,
		},
		{
			name:            "a key with a value that is missing",
			oldConfig:       uploads.Config{Rules: films, Key: "a/{random}{ext}"},
			newConfig:       uploads.Config{Rules: films, Key: "b/{tenant}/{random}{ext}"},
			data:            film,
			wantCompletedBy: noMethod,
		},
		{
			name:            "another key, with records",
			oldConfig:       uploads.Config{Rules: all, Key: "a/{id}{ext}"},
			newConfig:       uploads.Config{Rules: all, Key: "b/{id}{ext}"},
			data:            film,
			wantCompletedBy: everyMethod,
		},
		{
			name:            "another key, by the content, with records",
			oldConfig:       uploads.Config{Rules: films, Key: "a/{id}{ext}"},
			newConfig:       uploads.Config{Rules: films, Key: "b/{id}{ext}"},
			data:            film,
			wantCompletedBy: everyMethod,
		},
		{
			name:            "records are kept now",
			oldConfig:       uploads.Config{Rules: all, Key: "a/{random}{ext}"},
			newConfig:       uploads.Config{Rules: all, Key: "b/{id}{ext}"},
			data:            film,
			wantCompletedBy: onlyPieces,
		},
	}
	for _, tt := range tests {
		for method, sendAcross := range crossingMethods {
			t.Run(tt.name+", "+method, func(t *testing.T) {
				// The upload begins at a site with the old Config, and continues at one with the new Config. Both sites
				// have the same bucket, and keep records if the key has an ID.
				bucket := memstore.New()
				var stored []*uploads.File
				oldSite := newSessionSite(t, bucket, completeConfig(tt.oldConfig, bucket, &stored))
				newConfig := completeConfig(tt.newConfig, bucket, &stored)
				newSite := newSessionSite(t, bucket, newConfig)
				err := sendAcross(oldSite, newSite, tt.data)
				leftovers := newSite.keysAfterExpiry()

				// If the upload must start again, it leaves no file.
				if !slices.Contains(tt.wantCompletedBy, method) {
					require.Error(t, err)
					require.Empty(t, stored)
					for _, key := range leftovers {
						require.True(t, strings.HasPrefix(key, uploads.DefaultPrefix), key)
					}
					return
				}

				// Otherwise it is completed, and its file has a record if the service keeps records.
				require.NoError(t, err)
				require.Len(t, stored, 1)
				newSite.requireStored(stored[0].Key, tt.data)
				if newConfig.Records != nil {
					f, err := newConfig.Records.Record(t.Context(), stored[0].ID)
					require.NoError(t, err)
					require.Equal(t, stored[0].Key, f.Key)
				}
			})
		}
	}
}

// completeConfig returns c with a Config.Stored that appends to stored, and with records in the bucket if the key has
// an ID.
func completeConfig(c uploads.Config, bucket storage.Bucket, stored *[]*uploads.File) uploads.Config {
	c.ProxyParts = true
	c.Stored = appendTo(stored)
	if strings.Contains(c.Key, "{id}") {
		c.Records = uploads.BucketRecords(bucket)
	}
	return c
}
