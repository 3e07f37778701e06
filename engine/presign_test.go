package engine_test

import (
	"context"
	"net/http"
	"slices"
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
	type signer func(ctx context.Context, bucket storage.Bucket) error
	upload := func(opts ...storage.SignedUploadOption) signer {
		return func(ctx context.Context, bucket storage.Bucket) error {
			_, err := bucket.SignedUploadURL(ctx, "k", opts...)
			return err
		}
	}
	form := func(ctx context.Context, bucket storage.Bucket) error {
		_, err := storage.SignedUploadForm(ctx, bucket, "k", 0, 9)
		return err
	}
	download := func(opts ...storage.SignedDownloadOption) signer {
		return func(ctx context.Context, bucket storage.Bucket) error {
			_, err := bucket.SignedDownloadURL(ctx, "k", opts...)
			return err
		}
	}
	tags := storage.WithTags(map[string]string{"a": "b"})
	locked := storage.WithRetention(time.Now().Add(time.Hour), storage.Governance)

	tests := []struct {
		name      string
		needs     storage.Features
		sign      signer
		wantError string // of a store that lacks what the call needs
	}{
		{name: "upload", needs: storage.SignedURLs, sign: upload(), wantError: "SignedUploadURL"},
		{name: "download", needs: storage.SignedURLs, sign: download(), wantError: "SignedDownloadURL"},
		{name: "form", needs: storage.SignedForms, sign: form, wantError: "SignedUploadForm"},
		{
			name:      "upload with a size",
			needs:     storage.SignedSize,
			sign:      upload(storage.WithSize(9)),
			wantError: "WithSize on a signed upload",
		},
		{
			name:      "upload with IfAbsent",
			needs:     storage.SignedIfAbsent,
			sign:      upload(storage.IfAbsent()),
			wantError: "IfAbsent on a signed upload",
		},
		{
			name:      "upload with tags",
			needs:     storage.SignedTags,
			sign:      upload(tags),
			wantError: "call SetTags after the upload",
		},
		{
			name:      "upload with retention",
			needs:     storage.SignedLocks,
			sign:      upload(locked),
			wantError: "call SetRetention or SetLegalHold after the upload",
		},
		{
			name:      "upload with a legal hold",
			needs:     storage.SignedLocks,
			sign:      upload(storage.WithLegalHold()),
			wantError: "call SetRetention or SetLegalHold after the upload",
		},
		{
			name:      "HEAD",
			needs:     storage.SignedHead,
			sign:      download(storage.WithMethod(http.MethodHead)),
			wantError: "leave out WithMethod",
		},
		{
			name:      "download of a version",
			needs:     storage.Versioning,
			sign:      download(storage.WithVersion("1")),
			wantError: "WithVersion",
		},
	}
	opts := []storage.OpenOption{
		storage.WithVersioning(true),
		storage.WithObjectLock(),
		storage.WithSigningBaseURL("https://files.example.com"),
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A store in memory signs all of this except HEAD, which it serves at the URL of a download.
			if tt.needs != storage.SignedHead {
				require.NoError(t, tt.sign(t.Context(), memstore.New(opts...)))
			}

			lesserStore := memstore.New(slices.Concat(opts, []storage.OpenOption{withoutFeatures(tt.needs)})...)
			err := tt.sign(t.Context(), lesserStore)
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, tt.wantError)
		})
	}
}

// SignedUploadForm fails with InvalidArgument for sizes and options that do not fit a form.
func TestSignedFormBounds(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	tests := []struct {
		name             string
		minSize, maxSize int64
		opts             []storage.SignedUploadOption
		says             string // in the error
	}{
		{name: "no minimum", maxSize: 9},
		{name: "one size", minSize: 9, maxSize: 9},
		{name: "negative minimum", minSize: -1, maxSize: 9, says: "0 <= minSize <= maxSize"},
		{name: "minimum above maximum", minSize: 9, maxSize: 8, says: "0 <= minSize <= maxSize"},
		{
			name:    "WithSize",
			maxSize: 9,
			opts:    []storage.SignedUploadOption{storage.WithSize(5)},
			says:    "WithSize does not fit a form",
		},
		{
			name:    "malformed content type",
			maxSize: 9,
			opts:    []storage.SignedUploadOption{storage.WithContentType("text")},
			says:    "WithContentType must be type/subtype",
		},
		{
			name:    "negative TTL",
			maxSize: 9,
			opts:    []storage.SignedUploadOption{storage.WithTTL(-1)},
			says:    "WithTTL",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form, err := storage.SignedUploadForm(t.Context(), bucket, "k.txt", tt.minSize,
				tt.maxSize, tt.opts...)
			if tt.says == "" {
				require.NoError(t, err)
				// A valid form is signed for the address of the files.
				require.Contains(t, form.URL, "https://files.example.com")
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.says)
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
