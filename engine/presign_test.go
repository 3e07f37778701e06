package engine_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

func withoutFeatures(features storage.Features) storage.OpenOption {
	return driver.WithLayer(faults.WithLimits(faults.Limits{Disable: features}))
}

// If the store's signature cannot enforce an option, signing fails, because the client who has the URL could
// ignore that option.
func TestSignedURLRefusesUnenforcedOption(t *testing.T) {
	tags := storage.WithTags(map[string]string{"a": "b"})
	retention := storage.WithRetention(time.Now().Add(time.Hour), storage.Governance)

	// Each upload succeeds on a store with all features, and fails on one that lacks what the call needs.
	uploads := []struct {
		name      string
		needs     storage.Features
		opts      []storage.SignedUploadOption
		wantError string // of a store that lacks what the call needs
	}{
		{name: "upload", needs: storage.SignedURLs, wantError: "SignedUploadURL"},
		{
			name:      "upload with a size",
			needs:     storage.SignedSize,
			opts:      []storage.SignedUploadOption{storage.WithSize(9)},
			wantError: "WithSize on a signed upload",
		},
		{
			name:      "upload with IfAbsent",
			needs:     storage.SignedIfAbsent,
			opts:      []storage.SignedUploadOption{storage.IfAbsent()},
			wantError: "IfAbsent on a signed upload",
		},
		{
			name:      "upload with tags",
			needs:     storage.SignedTags,
			opts:      []storage.SignedUploadOption{tags},
			wantError: "call SetTags after the upload",
		},
		{
			name:      "upload with retention",
			needs:     storage.SignedLocks,
			opts:      []storage.SignedUploadOption{retention},
			wantError: "call SetRetention or SetLegalHold after the upload",
		},
		{
			name:      "upload with a legal hold",
			needs:     storage.SignedLocks,
			opts:      []storage.SignedUploadOption{storage.WithLegalHold()},
			wantError: "call SetRetention or SetLegalHold after the upload",
		},
	}
	for _, tt := range uploads {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newSigningStore().SignedUploadURL(t.Context(), "k", tt.opts...)
			require.NoError(t, err)

			_, err = newSigningStore(withoutFeatures(tt.needs)).SignedUploadURL(t.Context(), "k", tt.opts...)
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, tt.wantError)
		})
	}

	downloads := []struct {
		name      string
		needs     storage.Features
		opts      []storage.SignedDownloadOption
		wantError string // of a store that lacks what the call needs
	}{
		{name: "download", needs: storage.SignedURLs, wantError: "SignedDownloadURL"},
		{
			name:      "download of a version",
			needs:     storage.Versioning,
			opts:      []storage.SignedDownloadOption{storage.WithVersion("1")},
			wantError: "WithVersion",
		},
	}
	for _, tt := range downloads {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newSigningStore().SignedDownloadURL(t.Context(), "k", tt.opts...)
			require.NoError(t, err)

			_, err = newSigningStore(withoutFeatures(tt.needs)).SignedDownloadURL(t.Context(), "k", tt.opts...)
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, tt.wantError)
		})
	}

	t.Run("HEAD", func(t *testing.T) {
		store := newSigningStore(withoutFeatures(storage.SignedHead))
		_, err := store.SignedDownloadURL(t.Context(), "k", storage.WithMethod(http.MethodHead))
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorContains(t, err, "leave out WithMethod")
	})

	t.Run("form", func(t *testing.T) {
		const minSize, maxSize = 0, 9
		_, err := storage.SignedUploadForm(t.Context(), newSigningStore(), "k", minSize, maxSize)
		require.NoError(t, err)

		lesserStore := newSigningStore(withoutFeatures(storage.SignedForms))
		_, err = storage.SignedUploadForm(t.Context(), lesserStore, "k", minSize, maxSize)
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorContains(t, err, "SignedUploadForm")
	})
}

// newSigningStore returns a bucket in memory that signs everything except HEAD, which it serves at the URL of a
// download. The options may take features away.
func newSigningStore(opts ...storage.OpenOption) storage.Bucket {
	signing := []storage.OpenOption{
		storage.WithVersioning(true),
		storage.WithObjectLock(),
		storage.WithSigningBaseURL("https://files.example.com"),
	}
	return memstore.New(append(signing, opts...)...)
}

// SignedUploadForm fails with InvalidArgument for sizes and options that do not fit a form.
func TestSignedFormBounds(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	tests := []struct {
		name             string
		minSize, maxSize int64
		opts             []storage.SignedUploadOption
		wantError        string // part of the error, or "" if the form is signed
	}{
		{name: "no minimum", maxSize: 9},
		{name: "one size", minSize: 9, maxSize: 9},
		{name: "negative minimum", minSize: -1, maxSize: 9, wantError: "0 <= minSize <= maxSize"},
		{name: "minimum above maximum", minSize: 9, maxSize: 8, wantError: "0 <= minSize <= maxSize"},
		{
			name:      "WithSize",
			maxSize:   9,
			opts:      []storage.SignedUploadOption{storage.WithSize(5)},
			wantError: "WithSize does not fit a form",
		},
		{
			name:      "malformed content type",
			maxSize:   9,
			opts:      []storage.SignedUploadOption{storage.WithContentType("text")},
			wantError: "WithContentType must be type/subtype",
		},
		{
			name:      "negative TTL",
			maxSize:   9,
			opts:      []storage.SignedUploadOption{storage.WithTTL(-1)},
			wantError: "WithTTL",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form, err := storage.SignedUploadForm(t.Context(), bucket, "k.txt", tt.minSize,
				tt.maxSize, tt.opts...)
			if tt.wantError == "" {
				// A valid form is signed for the address of the files.
				require.NoError(t, err)
				require.Contains(t, form.URL, "https://files.example.com")
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantError)
		})
	}
}

// A publicStore is a driver whose objects have public addresses at the store itself, so that it needs no signing base
// URL.
type publicStore struct {
	driver.Driver
	address string
}

func (d publicStore) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.PublicBaseURL = d.address
	desc.NeedsSigningBase = false
	return desc
}

// PublicURL uses the base of WithPublicBaseURL, or the address of a public bucket's store or handler. If there is
// neither, PublicURL fails.
func TestPublicURLNeedsBase(t *testing.T) {
	withStoreAddress := func(address string) storage.OpenOption {
		return driver.WithLayer(func(next driver.Driver) driver.Driver { return publicStore{next, address} })
	}
	public := storage.WithPublicAccess(true)
	baseURL := storage.WithPublicBaseURL("https://cdn.example.com/a")
	tests := []struct {
		name      string
		opts      []storage.OpenOption
		key       string
		want      string
		wantError string // "" if there is an address
	}{
		{
			name: "WithPublicBaseURL",
			opts: []storage.OpenOption{baseURL},
			key:  "x y",
			want: "https://cdn.example.com/a/x%20y",
		},
		{
			name: "public bucket of a store with an address",
			opts: []storage.OpenOption{withStoreAddress("https://store.example.com/b/"), public},
			key:  "k",
			want: "https://store.example.com/b/k",
		},
		{
			name: "WithPublicBaseURL and a store with an address",
			opts: []storage.OpenOption{withStoreAddress("https://store.example.com/b/"), public, baseURL},
			key:  "k",
			want: "https://cdn.example.com/a/k",
		},
		{
			name:      "private bucket of a store with an address",
			opts:      []storage.OpenOption{withStoreAddress("https://store.example.com/b/")},
			key:       "k",
			wantError: "open the bucket with WithPublicBaseURL or WithPublicAccess(true)",
		},
		{
			name:      "layer removes the address of the store",
			opts:      []storage.OpenOption{withStoreAddress(""), public},
			key:       "k",
			wantError: "the store's own address does not have what the bucket shows",
		},
		{
			name:      "private bucket of a store without an address",
			key:       "k",
			wantError: "where the handler of package serve is mounted",
		},
		{
			name:      "public bucket of a store without an address",
			opts:      []storage.OpenOption{public},
			key:       "k",
			wantError: "where the handler of package serve is mounted",
		},
		{
			name: "public bucket of a handler",
			opts: []storage.OpenOption{public, storage.WithSigningBaseURL("https://files.example.com")},
			key:  "k",
			want: "https://files.example.com/",
		},
		{name: "empty key", opts: []storage.OpenOption{baseURL}, key: "", wantError: "key must not be empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, err := memstore.New(tt.opts...).PublicURL(tt.key)
			if tt.wantError == "" {
				require.NoError(t, err)
				require.Contains(t, address, tt.want)
				return
			}
			require.ErrorContains(t, err, tt.wantError)
			require.Empty(t, address)
		})
	}
}
