// Package needs checks which features of a store a handler or job needs. It runs the handler or job
// on stores that lack one feature each, and compares the failures with a table in needs.txt.
package needs

import (
	_ "embed"
	"errors"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// features maps names to the features that a store may lack. A store without MultipartUploads also
// lacks OpenUploads.
var features = map[string]storage.Features{
	"StreamingPut":        driver.StreamingPut,
	"ConditionalCreate":   storage.ConditionalCreate,
	"ConditionalUpdate":   storage.ConditionalUpdate,
	"ConditionalRemove":   storage.ConditionalRemove,
	"UniqueRevisions":     storage.UniqueRevisions,
	"ServerCopy":          storage.ServerCopy,
	"ServerCompose":       storage.ServerCompose,
	"ServerMove":          storage.ServerMove,
	"Versioning":          storage.Versioning,
	"SignedURLs":          storage.SignedURLs,
	"SignedContentType":   storage.SignedContentType,
	"SignedSize":          storage.SignedSize,
	"SignedIfAbsent":      storage.SignedIfAbsent,
	"SignedForms":         storage.SignedForms,
	"ObjectACLs":          storage.ObjectACLs,
	"StorageClasses":      storage.StorageClasses,
	"SignedHead":          storage.SignedHead,
	"Metadata":            storage.Metadata,
	"ContentProperties":   storage.ContentProperties,
	"StoredChecksums":     storage.StoredChecksums,
	"ObjectTags":          storage.ObjectTags,
	"ObjectLock":          storage.ObjectLock,
	"Restoring":           storage.Restoring,
	"SignedTags":          storage.SignedTags,
	"SignedLocks":         storage.SignedLocks,
	"LateMetadata":        driver.LateMetadata,
	"OpenUploads":         storage.OpenUploads,
	"SignedParts":         storage.SignedParts,
	"ListedUploads":       storage.ListedUploads,
	"SignedPartChecksums": storage.SignedPartChecksums,
	"LeadingSlashes":      storage.LeadingSlashes,
	"SoftDelete":          storage.SoftDelete,
	"ServerAppend":        storage.ServerAppend,
	"SignedRemovals":      storage.SignedRemovals,
	"StableURLs":          storage.StableURLs,
	"Vending":             storage.Vending,
}

// A Begin creates a handler or job on a bucket, and begins its work. The function finish completes
// that work, which includes sending all bytes.
type Begin func(t *testing.T, b storage.Bucket) (finish func() error, err error)

// Check runs the code under test on stores that lack one feature each. Without a feature that the row of needs.txt
// lists, begin must fail with Unsupported and with the text in the row. Without any other feature, begin and the
// function that it returns must succeed.
func Check(t *testing.T, row string, begin Begin) {
	t.Helper()
	CheckDriver(t, row, func(t *testing.T, withoutFeature driver.Layer) (func() error, error) {
		b := engine.New(
			memstore.NewDriver(memstore.Config{Versioned: true}),
			storage.WithSigningBaseURL("http://127.0.0.1/store"),
			driver.WithLayer(withoutFeature),
			storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
		)
		return begin(t, b)
	})
}

// CheckDriver makes the checks of [Check] for code that uses drivers instead of buckets: begin
// receives a layer that removes one feature from a driver.
func CheckDriver(
	t *testing.T, row string,
	begin func(t *testing.T, withoutFeature driver.Layer) (finish func() error, err error),
) {
	t.Helper()
	needed := neededFeatures(t, row)
	for name, feature := range features {
		finish, err := begin(t, faults.WithLimits(faults.Limits{Disable: feature}))
		if err == nil {
			// The code has not refused to begin without the feature, so it must complete its work.
			require.NoError(t, finish(), "%s without %s fails after the first byte", row, name)
			continue
		}
		require.ErrorIs(t, err, storage.Unsupported, "%s without %s", row, name)
		require.Contains(t, needed, name, "needs.txt does not say that %s needs it: %v", row, err)
		require.Contains(t, errorWithHint(err), needed[name], "%s without %s", row, name)
		delete(needed, name)
	}
	// Nothing has asked for the features that are still in needed.
	require.Empty(t, needed, "needs.txt says that %s needs these, but it does not", row)
}

// errorWithHint returns the text of an error, followed by its hint.
func errorWithHint(err error) string {
	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok {
		return err.Error()
	}
	return err.Error() + ": " + storageErr.Hint
}

var (
	//go:embed needs.txt
	list string

	rowPattern     = regexp.MustCompile("(?m)^\\| `(.*?)` \\| (.*) \\|$")
	featurePattern = regexp.MustCompile("`(\\w+)` \\(([^)]*)\\)")
)

// neededFeatures returns the features in a row of needs.txt, each with the text of the error if it is
// missing.
func neededFeatures(t *testing.T, row string) map[string]string {
	t.Helper()

	for _, match := range rowPattern.FindAllStringSubmatch(list, -1) {
		name, features := match[1], match[2]
		if name == row {
			return parseFeatures(features)
		}
	}
	require.Fail(t, "needs.txt has no row for "+row)
	return nil
}

// parseFeatures returns the features in a text such as "`A` (text of its error), `B` (another text)". Each has the text of
// the error if it is missing.
func parseFeatures(text string) map[string]string {
	features := map[string]string{}
	for _, match := range featurePattern.FindAllStringSubmatch(text, -1) {
		name, errText := match[1], match[2]
		features[name] = errText
	}
	return features
}
