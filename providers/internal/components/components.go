// Package components names the objects that are the parts of an open upload, on stores that
// join objects. Each upload has a prefix of its own. A marker, in front of the parts, says that
// the upload is open, and for which key.
package components

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
)

// ContentType is the type of the marker and of the parts.
const ContentType = "application/octet-stream"

const (
	markerName = "-begun" // last segment of the marker's key, before the parts in byte order
	partPrefix = "0-"
	// keyName is the name of the metadata of a marker that has the object's key. The core
	// reserves names that begin like this one.
	keyName = "omnibucketkey"
)

// Marker returns the key of the marker of the upload with this prefix, which ends in "/".
func Marker(prefix string) string { return prefix + markerName }

// Part returns the key of a part. Parts are in the order of their numbers.
func Part(prefix string, number int) string {
	return fmt.Sprintf("%s%s%06d", prefix, partPrefix, number)
}

// Number returns the number of the part with this key. It returns false for any other object.
func Number(prefix, key string) (int, bool) {
	digits, found := strings.CutPrefix(key, prefix+partPrefix)
	number, err := strconv.Atoi(digits)
	return number, found && err == nil && number > 0 && Part(prefix, number) == key
}

// MarkerMetadata returns the metadata of a marker. The key is in base64, because metadata may
// have to be ASCII.
func MarkerMetadata(key string) map[string]string {
	return map[string]string{keyName: base64.RawURLEncoding.EncodeToString([]byte(key))}
}

// Key returns the key in the metadata of a marker, or "".
func Key(metadata map[string]string) string {
	key, err := base64.RawURLEncoding.DecodeString(metadata[keyName])
	if err != nil {
		return ""
	}
	return string(key)
}

const maxReads = 16 // markers at once

// Uploads returns the entries of n uploads that are for keys with a prefix. entry returns nil if there is no
// such upload (any more).
func Uploads(
	ctx context.Context, n int, prefix string, entry func(ctx context.Context, i int) (*storage.UploadEntry, error),
) ([]storage.UploadEntry, error) {
	found := make([]*storage.UploadEntry, n)
	err := parallel.Each(ctx, n, maxReads, func(ctx context.Context, i int) (err error) {
		found[i], err = entry(ctx, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	var entries []storage.UploadEntry
	for _, e := range found {
		if e != nil && strings.HasPrefix(e.Key, prefix) {
			entries = append(entries, *e)
		}
	}
	return entries, nil
}
