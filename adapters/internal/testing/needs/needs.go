// Package needs opens handlers and jobs on stores that lack one feature each, and compares those
// that are refused with the table in docs/maintainers/testing.md.
package needs

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// features are what a store may lack. A store without MultipartUploads has no OpenUploads either.
var features = map[string]storage.Features{
	"StreamingPut": driver.StreamingPut, "ConditionalCreate": storage.ConditionalCreate,
	"ConditionalUpdate": storage.ConditionalUpdate, "ConditionalRemove": storage.ConditionalRemove, "UniqueRevisions": storage.UniqueRevisions,
	"ServerCopy": storage.ServerCopy, "ServerCompose": storage.ServerCompose, "ServerMove": storage.ServerMove, "Versioning": storage.Versioning,
	"SignedURLs": storage.SignedURLs, "SignedContentType": storage.SignedContentType, "SignedSize": storage.SignedSize,
	"SignedIfAbsent": storage.SignedIfAbsent, "SignedForms": storage.SignedForms, "ObjectACLs": storage.ObjectACLs,
	"StorageClasses": storage.StorageClasses, "SignedHead": storage.SignedHead, "Metadata": storage.Metadata,
	"ContentProperties": storage.ContentProperties, "StoredChecksums": storage.StoredChecksums, "ObjectTags": storage.ObjectTags,
	"ObjectLock": storage.ObjectLock, "Restoring": storage.Restoring, "SignedTags": storage.SignedTags, "SignedLocks": storage.SignedLocks,
	"LateMetadata": driver.LateMetadata, "OpenUploads": storage.OpenUploads, "SignedParts": storage.SignedParts,
	"ListedUploads": storage.ListedUploads, "SignedPartChecksums": storage.SignedPartChecksums, "LeadingSlashes": storage.LeadingSlashes,
	"SoftDelete": storage.SoftDelete, "ServerAppend": storage.ServerAppend,
}

// A Begin builds a handler or job on a bucket, and begins what it does. finish sends all bytes.
type Begin func(t *testing.T, b storage.Bucket) (finish func() error, err error)

// Check runs begin on stores that lack one feature each. It must fail with Unsupported for those of
// the row of the table, before finish, and its error must have the row's text. Every other store must
// do.
func Check(t *testing.T, row string, begin Begin) {
	t.Helper()
	CheckDriver(t, row, func(t *testing.T, lacking driver.Layer) (func() error, error) {
		return begin(
			t,
			engine.New(
				memstore.NewDriver(memstore.Config{Versioned: true}),
				storage.WithSigningBaseURL("http://127.0.0.1/store"),
				driver.WithLayer(lacking),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
			),
		)
	})
}

// CheckDriver is like [Check] for what is built on drivers. The layer lacks one feature.
func CheckDriver(
	t *testing.T, row string, begin func(t *testing.T, lacking driver.Layer) (finish func() error, err error),
) {
	t.Helper()
	want := listed(t, row)
	for name, feature := range features {
		finish, err := begin(t, faults.WithLimits(faults.Limits{Disable: feature}))
		if err == nil {
			require.NoError(t, finish(), "%s without %s fails after the first byte", row, name)
			continue
		}
		require.ErrorIs(t, err, storage.Unsupported, "%s without %s", row, name)
		require.Contains(t, want, name, "docs/maintainers/testing.md does not say that %s needs it: %v", row, err)
		require.Contains(t, text(err), want[name], "%s without %s", row, name)
		delete(want, name)
	}
	require.Empty(t, want, "docs/maintainers/testing.md says that %s needs this", row)
}

// text returns an error with its hint.
func text(err error) string {
	said := err.Error()
	if e, ok := errors.AsType[*storage.Error](err); ok {
		said += ": " + e.Hint
	}
	return said
}

var (
	table = regexp.MustCompile("(?m)^\\| `(.*?)` \\| (.*) \\|$")
	need  = regexp.MustCompile("`(\\w+)` \\(([^)]*)\\)") // a feature, and what the error without it names
)

// listed returns the features that a row needs, and what the errors without them say.
func listed(t *testing.T, row string) map[string]string {
	t.Helper()
	needs, known := map[string]string{}, false
	for _, found := range table.FindAllStringSubmatch(page(t), -1) {
		if found[1] != row {
			continue
		}
		known = true
		for _, feature := range need.FindAllStringSubmatch(found[2], -1) {
			needs[feature[1]] = feature[2]
		}
	}
	require.True(t, known, "docs/maintainers/testing.md has no row for %s", row)
	return needs
}

// page returns the section of the table.
func page(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for root := dir; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "tools", "go.mod")); err == nil {
			text, err := os.ReadFile(filepath.Join(root, "docs", "maintainers", "testing.md"))
			require.NoError(t, err)
			_, after, ok := strings.Cut(string(text), "\n## What handlers and jobs need\n")
			require.True(t, ok)
			section, _, _ := strings.Cut(after, "\n## ")
			return section
		}
	}
	require.Fail(t, "the test is not in the repository")
	return ""
}
