// Package components implements uploads whose parts may come in any order and from any process
// (open uploads), on stores that lack them. There, each part is an object, and the store joins
// these objects in the end. Each upload has a prefix of its own. Its first object, the marker,
// records that the upload is open, and the key of the final object. This package names these
// objects.
package components

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

// ContentType is the content type of markers and parts.
const ContentType = "application/octet-stream"

const (
	markerName = "-begun" // last segment of the marker's key; listings show it before the parts
	partPrefix = "0-"
	// keyName is a name in the marker's metadata. Its value is the key of the final object. The
	// engine reserves all names that begin with "omnibucket".
	keyName = "omnibucketkey"
)

// Marker returns the key of an upload's marker. prefix is the prefix of the upload, which ends in
// "/".
func Marker(prefix string) string { return prefix + markerName }

// Part returns the key of a part. Keys of parts sort in the order of their numbers.
func Part(prefix string, number int) string {
	return fmt.Sprintf("%s%s%06d", prefix, partPrefix, number)
}

// Number returns the number of the part with this key. If key is not that of a part, it returns
// false.
func Number(prefix, key string) (int, bool) {
	digits, ok := strings.CutPrefix(key, prefix+partPrefix)
	number, err := strconv.Atoi(digits)
	return number, ok && err == nil && number > 0 && Part(prefix, number) == key
}

// MarkerMetadata returns the metadata of the marker for an upload. key is the key of the final
// object. The key is encoded as base64, because some stores accept only ASCII in metadata.
func MarkerMetadata(key string) map[string]string {
	return map[string]string{keyName: base64.RawURLEncoding.EncodeToString([]byte(key))}
}

// Key returns the key in the metadata of a marker, or "" if the metadata has none.
func Key(metadata map[string]string) string {
	key, err := base64.RawURLEncoding.DecodeString(metadata[keyName])
	if err != nil {
		return ""
	}
	return string(key)
}

const maxReads = 16 // markers that are read in parallel

// Uploads calls read for each of n uploads, several at a time, and returns the results whose keys begin
// with prefix. read must return nil if the upload with the number i does not exist.
func Uploads(
	ctx context.Context, n int, prefix string, read func(ctx context.Context, i int) (*storage.UploadEntry, error),
) ([]storage.UploadEntry, error) {
	results := make([]*storage.UploadEntry, n)
	readResult := func(ctx context.Context, i int) error {
		var err error
		results[i], err = read(ctx, i)
		return err
	}
	if err := running.Each(ctx, n, maxReads, readResult); err != nil {
		return nil, err
	}

	var entries []storage.UploadEntry
	for _, entry := range results {
		if entry != nil && strings.HasPrefix(entry.Key, prefix) {
			entries = append(entries, *entry)
		}
	}
	return entries, nil
}
