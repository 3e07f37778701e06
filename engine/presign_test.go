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

func lacking(features storage.Features) storage.OpenOption {
	return driver.WithLayer(faults.WithLimits(faults.Limits{Disable: features}))
}

// If the store's signature cannot enforce an option, signing fails, because the client who has the URL could
// ignore that option.
func TestSignedURLRefusesUnenforcedOption(t *testing.T) {
	upload := func(opts ...storage.SignedUploadOption) func(t *testing.T, b storage.Bucket) error {
		return func(t *testing.T, b storage.Bucket) error {
			_, err := b.SignedUploadURL(t.Context(), "k", opts...)
			return err
		}
	}
	form := func(minSize, maxSize int64, opts ...storage.SignedUploadOption) func(t *testing.T, b storage.Bucket) error {
		return func(t *testing.T, b storage.Bucket) error {
			_, err := storage.SignedUploadForm(t.Context(), b, "k", minSize, maxSize, opts...)
			return err
		}
	}
	download := func(opts ...storage.SignedDownloadOption) func(t *testing.T, b storage.Bucket) error {
		return func(t *testing.T, b storage.Bucket) error {
			_, err := b.SignedDownloadURL(t.Context(), "k", opts...)
			return err
		}
	}
	tags := storage.WithTags(map[string]string{"a": "b"})
	locked := storage.WithRetention(time.Now().Add(time.Hour), storage.Governance)
	for _, row := range []struct {
		name  string
		needs storage.Features // which the store lacks
		call  func(t *testing.T, b storage.Bucket) error
		says  string
	}{
		{"an upload", storage.SignedURLs, upload(), "SignedUploadURL"},
		{"a download", storage.SignedURLs, download(), "SignedDownloadURL"},
		{"a form", storage.SignedForms, form(0, 9), "SignedUploadForm"},
		{"a size", storage.SignedSize, upload(storage.WithSize(9)), "WithSize on a signed upload"},
		{"IfAbsent", storage.SignedIfAbsent, upload(storage.IfAbsent()), "IfAbsent on a signed upload"},
		{"tags", storage.SignedTags, upload(tags), "call SetTags after the upload"},
		{"retention", storage.SignedLocks, upload(locked), "call SetRetention or SetLegalHold after the upload"},
		{"a legal hold", storage.SignedLocks, upload(storage.WithLegalHold()), "call SetRetention or SetLegalHold after the upload"},
		{"HEAD", storage.SignedHead, download(storage.WithMethod(http.MethodHead)), "leave out WithMethod"},
		{"a version", storage.Versioning, download(storage.WithVersion("1")), "WithVersion"},
	} {
		t.Run(row.name, func(t *testing.T) {
			open := func(opts ...storage.OpenOption) storage.Bucket {
				opts = append(opts, storage.WithVersioning(true), storage.WithObjectLock(),
					storage.WithSigningBaseURL("https://files.example.com"))
				return memstore.New(opts...)
			}
			if row.needs != storage.SignedHead { // memory serves HEAD at the address that reads
				require.NoError(t, row.call(t, open()), "a store that has it")
			}
			err := row.call(t, open(lacking(row.needs)))
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, row.says)
		})
	}
}

// A form is signed only with sizes and options that fit it.
func TestSignedFormBounds(t *testing.T) {
	b := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	for _, row := range []struct {
		name             string
		minSize, maxSize int64
		opts             []storage.SignedUploadOption
		says             string // of a refusal
	}{
		{"from nothing", 0, 9, nil, ""},
		{"of one size", 9, 9, nil, ""},
		{"below nothing", -1, 9, nil, "0 <= minSize <= maxSize"},
		{"crossed", 9, 8, nil, "0 <= minSize <= maxSize"},
		{"and a size", 0, 9, []storage.SignedUploadOption{storage.WithSize(5)}, "WithSize does not fit a form"},
		{"and a bad type", 0, 9, []storage.SignedUploadOption{storage.WithContentType("text")}, "WithContentType must be type/subtype"},
		{"and a time that is over", 0, 9, []storage.SignedUploadOption{storage.WithTTL(-1)}, "WithTTL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, err := storage.SignedUploadForm(t.Context(), b, "k.txt", row.minSize, row.maxSize, row.opts...)
			if row.says == "" {
				require.NoError(t, err)
				require.Contains(t, f.URL, "https://files.example.com")
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, row.says)
		})
	}
}

// addressed is a store whose objects have public addresses of its own, and no need of package serve.
type addressed struct {
	driver.Driver
	address string
}

func (d addressed) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.PublicBaseURL = d.address
	desc.NeedsSigningBase = false
	return desc
}

// PublicURL uses the base of WithPublicBaseURL, or the address of a public bucket's store or handler. If there is
// neither, PublicURL fails.
func TestPublicURLNeedsBase(t *testing.T) {
	own := func(address string) storage.OpenOption {
		return driver.WithLayer(func(next driver.Driver) driver.Driver { return addressed{next, address} })
	}
	public := storage.WithPublicAccess(true)
	base := storage.WithPublicBaseURL("https://cdn.example.com/a")
	for _, row := range []struct {
		name string
		opts []storage.OpenOption
		key  string
		want string
		says string // of a refusal
	}{
		{"an address of the user's", []storage.OpenOption{base}, "x y", "https://cdn.example.com/a/x%20y", ""},
		{"an address of the store", []storage.OpenOption{own("https://store.example.com/b/"), public}, "k", "https://store.example.com/b/k", ""},
		{"an address of the user's before the store's", []storage.OpenOption{own("https://store.example.com/b/"), public, base}, "k", "https://cdn.example.com/a/k", ""},
		{"the store's, of a bucket that is not public", []storage.OpenOption{own("https://store.example.com/b/")}, "k", "", "open the bucket with WithPublicBaseURL or WithPublicAccess(true)"},
		{"the store's, which a layer has removed", []storage.OpenOption{own(""), public}, "k", "", "the store's own address does not have what the bucket shows"},
		{"none, of a store without addresses", nil, "k", "", "where the handler of package serve is mounted"},
		{"none, of a store without addresses, if public", []storage.OpenOption{public}, "k", "", "where the handler of package serve is mounted"},
		{"the handler's", []storage.OpenOption{public, storage.WithSigningBaseURL("https://files.example.com")}, "k", "https://files.example.com/", ""},
		{"of no key", []storage.OpenOption{base}, "", "", "key must not be empty"},
	} {
		t.Run(row.name, func(t *testing.T) {
			address, err := memstore.New(row.opts...).PublicURL(row.key)
			if row.says == "" {
				require.NoError(t, err)
				require.Contains(t, address, row.want)
				return
			}
			require.ErrorContains(t, err, row.says)
			require.Empty(t, address)
		})
	}
}
