package storedforms_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/uploads"
)

// uploadReaders continue uploads of package uploads that another version has begun.
var uploadReaders = map[string]func(t *testing.T, s stored){
	"upload-tus": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		service := newService(t, d, uploads.Config{})
		address := s.client("address")
		a := request(t, service, "HEAD", address, "", tusHeaders("", ""))
		require.Equal(t, "4", a.Header().Get("Upload-Offset"), a.Code)
		patchTus(t, service, address, 4, " more")
		requireFile(t, d, service)
	},
	"upload-concat": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		service := newService(t, d, uploads.Config{})
		h := tusHeaders("Upload-Concat", "final;"+s.client("first")+" "+s.client("second"))
		h.Del("Content-Type")
		a := request(t, service, "POST", "/tus/", "", h)
		require.Equal(t, http.StatusCreated, a.Code, a.Body.String())
		requireFile(t, d, service)
	},
	"upload-parts": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		service := newService(t, d, uploads.Config{ProxyParts: true})
		upload := s.client("upload")

		a := request(t, service, "GET", "/s3/multipart/"+upload, "", nil)
		require.Equal(t, http.StatusOK, a.Code, a.Body.String())
		require.Contains(t, a.Body.String(), `"Size":9`)

		body := fmt.Sprintf(`{"parts":[{"PartNumber":1,"ETag":%q}]}`, s.client("etag"))
		a = request(t, service, "POST", "/s3/multipart/"+upload+"/complete", body, nil)
		require.Equal(t, http.StatusOK, a.Code, a.Body.String())
		requireFile(t, d, service)
	},
	"upload-pieces": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		service := newService(t, d, uploads.Config{})
		f, err := service.PutPiece(t.Context(), piece(2, " more"))
		require.NoError(t, err)
		require.NotNil(t, f)
		requireFile(t, d, service)
	},
	"upload-stored": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		told := 0
		service := newService(t, d, uploads.Config{
			Stored: func(context.Context, *uploads.File) error {
				told++
				return nil
			},
		})
		time.Sleep(5 * time.Minute) // the claim of the call that was killed has ended

		a := request(t, service, "HEAD", s.client("address"), "", tusHeaders("", ""))
		require.Less(t, a.Code, 300, a.Body.String())
		require.Equal(t, 1, told)
		requireFile(t, d, service)
	},
	"upload-ticket": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		service := newService(t, d, uploads.Config{})
		_, err := service.Finish(t.Context(), s.client("token"), uploads.User{ID: "user"})
		require.NoError(t, err)
		requireFile(t, d, service)
	},
	"upload-allowance": func(t *testing.T, s stored) {
		d := s.loadParts(t)
		service := newService(t, d, uploads.Config{Allowance: allow})

		u, err := service.Usage(t.Context(), "user")
		require.NoError(t, err)
		require.Equal(t, uploads.Usage{Bytes: 4, Files: 1, ReservedBytes: 18, ReservedFiles: 2}, u)

		patchTus(t, service, s.client("address"), 4, " more")
		_, err = service.Finish(t.Context(), s.client("token"), uploads.User{ID: "user"})
		require.NoError(t, err)
		for range 2 {
			u, err = service.Usage(t.Context(), "user")
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: 22, Files: 3}, u)
			_, err = service.Sweep(t.Context())
			require.NoError(t, err)
		}

		for key := range contents(t, engine.New(d)) {
			require.False(t, strings.HasPrefix(key, "files/usage/"), "the ledger of the first form has moved")
		}
	},
}

// requireFile requires that the store has one file of a user, and nothing of its upload after a while.
func requireFile(t *testing.T, d driver.Driver, s *uploads.Service) {
	t.Helper()
	b := engine.New(d)
	files := contents(t, b)
	text := ""

	for key, body := range files {
		if strings.HasPrefix(key, "files/user/") {
			require.Empty(t, text, "there are two files")
			text = body
		}
	}
	require.Equal(t, "text more", text, "%v", files)

	time.Sleep(60 * 24 * time.Hour)
	_, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Len(t, contents(t, b), 1)
}

// loadParts returns a store with the objects and the parts that a golden file has.
func (s stored) loadParts(t *testing.T) driver.Driver {
	d := newParts("store")
	s.loadInto(t, d, "store")
	return d
}
