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
	upload := func(opts ...storage.SignedUploadOption) func(t *testing.T, bucket storage.Bucket) error {
		return func(t *testing.T, bucket storage.Bucket) error {
			_, err := bucket.SignedUploadURL(t.Context(), "k", opts...)
			return err
		}
	}
	form := func(minSize, maxSize int64, opts ...storage.SignedUploadOption) func(t *testing.T, bucket storage.Bucket) error {
		return func(t *testing.T, bucket storage.Bucket) error {
			_, err := storage.SignedUploadForm(t.Context(), bucket, "k", minSize, maxSize, opts...)
			return err
		}
	}
	download := func(opts ...storage.SignedDownloadOption) func(t *testing.T, bucket storage.Bucket) error {
		return func(t *testing.T, bucket storage.Bucket) error {
			_, err := bucket.SignedDownloadURL(t.Context(), "k", opts...)
			return err
		}
	}
	tags := storage.WithTags(map[string]string{"a": "b"})
	locked := storage.WithRetention(time.Now().Add(time.Hour), storage.Governance)

	tests := []struct {
		name  string
		needs storage.Features // which the store lacks
		call  func(t *testing.T, bucket storage.Bucket) error
		says  string
	}{
		{name: "an upload", needs: storage.SignedURLs, call: upload(), says: "SignedUploadURL"},
		{name: "a download", needs: storage.SignedURLs, call: download(), says: "SignedDownloadURL"},
		{name: "a form", needs: storage.SignedForms, call: form(0, 9), says: "SignedUploadForm"},
		{
			name:  "a size",
			needs: storage.SignedSize,
			call:  upload(storage.WithSize(9)),
			says:  "WithSize on a signed upload",
		},
		{
			name:  "IfAbsent",
			needs: storage.SignedIfAbsent,
			call:  upload(storage.IfAbsent()),
			says:  "IfAbsent on a signed upload",
		},
		{name: "tags", needs: storage.SignedTags, call: upload(tags), says: "call SetTags after the upload"},
		{
			name:  "retention",
			needs: storage.SignedLocks,
			call:  upload(locked),
			says:  "call SetRetention or SetLegalHold after the upload",
		},
		{
			name:  "a legal hold",
			needs: storage.SignedLocks,
			call:  upload(storage.WithLegalHold()),
			says:  "call SetRetention or SetLegalHold after the upload",
		},
		{
			name:  "HEAD",
			needs: storage.SignedHead,
			call:  download(storage.WithMethod(http.MethodHead)),
			says:  "leave out WithMethod",
		},
		{
			name:  "a version",
			needs: storage.Versioning,
			call:  download(storage.WithVersion("1")),
			says:  "WithVersion",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			open := func(opts ...storage.OpenOption) storage.Bucket {
				opts = append(opts, storage.WithVersioning(true), storage.WithObjectLock(),
					storage.WithSigningBaseURL("https://files.example.com"))
				return memstore.New(opts...)
			}
			if tt.needs != storage.SignedHead { // memory serves HEAD at the address that reads
				require.NoError(t, tt.call(t, open()), "a store that has it")
			}
			err := tt.call(t, open(withoutFeatures(tt.needs)))
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, tt.says)
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
	withBase := func(address string) storage.OpenOption {
		return driver.WithLayer(func(next driver.Driver) driver.Driver { return publicStore{next, address} })
	}
	public := storage.WithPublicAccess(true)
	base := storage.WithPublicBaseURL("https://cdn.example.com/a")
	tests := []struct {
		name string
		opts []storage.OpenOption
		key  string
		want string
		says string // of a refusal
	}{
		{
			name: "an address of the user's",
			opts: []storage.OpenOption{base},
			key:  "x y",
			want: "https://cdn.example.com/a/x%20y",
		},
		{
			name: "an address of the store",
			opts: []storage.OpenOption{withBase("https://store.example.com/b/"), public},
			key:  "k",
			want: "https://store.example.com/b/k",
		},
		{
			name: "an address of the user's before the store's",
			opts: []storage.OpenOption{withBase("https://store.example.com/b/"), public, base},
			key:  "k",
			want: "https://cdn.example.com/a/k",
		},
		{
			name: "the store's, of a bucket that is not public",
			opts: []storage.OpenOption{withBase("https://store.example.com/b/")},
			key:  "k",
			want: "",
			says: "open the bucket with WithPublicBaseURL or WithPublicAccess(true)",
		},
		{
			name: "the store's, which a layer has removed",
			opts: []storage.OpenOption{withBase(""), public},
			key:  "k",
			want: "",
			says: "the store's own address does not have what the bucket shows",
		},
		{
			name: "none, of a store without addresses",
			key:  "k",
			want: "",
			says: "where the handler of package serve is mounted",
		},
		{
			name: "none, of a store without addresses, if public",
			opts: []storage.OpenOption{public},
			key:  "k",
			want: "",
			says: "where the handler of package serve is mounted",
		},
		{
			name: "the handler's",
			opts: []storage.OpenOption{public, storage.WithSigningBaseURL("https://files.example.com")},
			key:  "k",
			want: "https://files.example.com/",
		},
		{name: "of no key", opts: []storage.OpenOption{base}, want: "", says: "key must not be empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, err := memstore.New(tt.opts...).PublicURL(tt.key)
			if tt.says == "" {
				require.NoError(t, err)
				require.Contains(t, address, tt.want)
				return
			}
			require.ErrorContains(t, err, tt.says)
			require.Empty(t, address)
		})
	}
}
