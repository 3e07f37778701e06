package driverstore

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/state"
)

// shownVersion returns the version id that clients see. A driver's id with characters that S3 does not permit is
// encoded.
func (b *driverBucket) shownVersion(id string, modified time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()

	if id == "" {
		return state.NullVersion
	}
	// The time of a write shows whether the bucket had versioning then.
	hasNulls := b.cached != nil && b.cached.bucket.HasNulls()
	if hasNulls && b.cached.bucket.IsNull(modified) {
		return state.NullVersion
	}

	if isPlain(id) {
		return id
	}
	return encodedVersion + base64.RawURLEncoding.EncodeToString([]byte(id))
}

const encodedVersion = "e."

// isPlain reports whether clients see a driver's version id unchanged.
func isPlain(id string) bool {
	return state.IsVersionText(id) && !strings.HasPrefix(id, encodedVersion)
}

// ValidID reports whether an id can be a version id. It accepts the ids of all drivers.
func (s *Store) ValidID(id string) bool {
	const minLength = 8
	return id == state.NullVersion || (len(id) >= minLength && state.IsVersionText(id))
}

// driverVersion returns the driver's version id for an id that clients see. For the null version of a key that has
// none, it returns an id that no version has.
func (b *driverBucket) driverVersion(ctx context.Context, key, versionID string) (string, error) {
	if versionID != state.NullVersion || !b.keepsVersions() {
		return decodeVersion(versionID), nil
	}

	// Look for the null version among the versions of the key.
	for e, err := range b.names.versionsOf(ctx, key) {
		if err != nil {
			return "", err
		}
		if e.id == state.NullVersion {
			return e.Version, nil
		}
	}
	return state.NullVersion, nil
}

// decodeVersion returns the driver's version id for an id that clients see. It decodes only ids that shownVersion
// returns, because a second id of a version would evade a policy that denies access to the first.
func decodeVersion(versionID string) string {
	if versionID == state.NullVersion {
		return ""
	}
	text, isEncoded := strings.CutPrefix(versionID, encodedVersion)
	if !isEncoded {
		return versionID
	}
	id, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || isPlain(string(id)) {
		return versionID
	}
	return string(id)
}
